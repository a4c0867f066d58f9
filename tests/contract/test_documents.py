"""The committed specifications, and the page that shows them."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from pulse_ops.cli.openapi import DOCS, document, openapi
from pulse_ops.openapi import text
from tests.contract.client import Service, resolved

SERVICES = ["gapi", "pulse"]


@cache
def stated(name: str) -> dict[str, Any]:
    return text.read(document(name))


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_specification_is_what_the_code_says(name: str, request: pytest.FixtureRequest) -> None:
    committed = request.config.rootpath / DOCS / f"{name}-api" / "openapi.yaml"
    assert committed.read_text(encoding="utf-8") == document(name), "run `pulse openapi --write`"


@pytest.mark.parametrize("name", SERVICES)
def test_the_specification_is_valid_openapi_3_1(name: str) -> None:
    specification = stated(name)
    assert specification["openapi"].startswith("3.1")
    validate(specification)


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_says_what_it_does_and_what_it_needs(name: str) -> None:
    specification = stated(name)
    names = Counter(operation["operationId"] for _, _, operation in operations(specification))
    described = {tag["name"] for tag in specification["tags"] if tag["description"]}
    for path, _method, operation in operations(specification):
        assert operation["summary"], path
        assert names[operation["operationId"]] == 1
        assert set(operation["tags"]) <= described
        assert {"413", "500"} <= operation["responses"].keys()
        is_open = operation["security"] == []
        assert ("401" in operation["responses"]) == (not is_open or path.endswith(("/login", "/refresh")))


@pytest.mark.parametrize("name", SERVICES)
def test_every_body_has_an_example_that_is_true(name: str) -> None:
    specification = stated(name)
    for path, _method, operation in operations(specification):
        answers = [resolved(specification, one) for one in operation["responses"].values()]
        for part in (operation.get("requestBody", {}), *answers):
            for kind, media in part.get("content", {}).items():
                examples = [one["value"] for one in media.get("examples", {}).values()] or [media.get("example")]
                assert examples != [None] or kind == "text/plain", path
                for example in examples if kind != "text/plain" else []:
                    Draft202012Validator({**specification, **media["schema"]}).validate(example)


@pytest.mark.parametrize("name", SERVICES)
def test_every_error_code_has_a_shape_and_an_example_with_the_details_that_it_names(name: str) -> None:
    schemas = stated(name)["components"]["schemas"]
    shapes = {
        one["properties"]["error"]["properties"]["code"]["const"]: one for one in schemas.values() if is_error(one)
    }
    for code, shape in shapes.items():
        details = shape["properties"]["error"]["properties"]["details"]["properties"]
        assert shape["examples"][0]["error"]["details"].keys() <= details.keys(), code
    # Decided before any operation is chosen.
    assert shapes.keys() == set(schemas["ErrorDetail"]["properties"]["code"]["enum"]) - {"METHOD_NOT_ALLOWED"}


def is_error(schema: dict[str, Any]) -> bool:
    code = schema.get("properties", {}).get("error", {}).get("properties", {}).get("code", {})
    return "const" in code


def operations(specification: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in specification["paths"].items():
        yield from ((path, method, one) for method, one in methods.items() if method != "parameters")


def test_check_tells_a_stale_file_from_a_fresh_one(tmp_path: pytest.TempPathFactory) -> None:
    runner, folder = CliRunner(), ["--docs", str(tmp_path)]
    assert runner.invoke(openapi, ["--check", *folder]).exit_code == 1
    assert runner.invoke(openapi, ["--write", *folder]).exit_code == 0
    assert runner.invoke(openapi, ["--check", *folder]).exit_code == 0
    assert text.read(runner.invoke(openapi, ["gapi"]).output)["info"]["title"] == "Pulse"


def test_the_gateway_serves_its_specification(gapi: Service) -> None:
    assert gapi.send("GET", "/openapi.json").json() == stated("gapi")


def test_the_api_page_needs_nothing_from_the_internet(gapi: Service) -> None:
    page = gapi.send("GET", "/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert link.startswith("/docs/")
        assert gapi.send("GET", link).status_code == 200
    assert "@import" not in gapi.send("GET", "/docs/swagger-ui.css").text
    assert [gapi.send("GET", path).headers["Location"] for path in ("/", "/docs/")] == ["/app", "/docs"]
    assert gapi.send("GET", "/docs/index.html").status_code == 404
