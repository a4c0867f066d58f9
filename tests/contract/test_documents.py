"""The committed specifications, and the page that shows them."""

import re

import pytest
import yaml
from click.testing import CliRunner
from openapi_spec_validator import validate

from pulse_core.cli.openapi import DOCS, document, openapi
from tests.contract.client import Service

SERVICES = ["gapi", "pulse"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_committed_specification_is_what_the_code_says(name: str, request: pytest.FixtureRequest) -> None:
    committed = request.config.rootpath / DOCS / f"{name}-api" / "openapi.yaml"
    assert committed.read_text(encoding="utf-8") == document(name), "run `pulse openapi --write`"


@pytest.mark.parametrize("name", SERVICES)
def test_the_specification_is_valid_openapi_3_1(name: str) -> None:
    specification = yaml.safe_load(document(name))
    assert specification["openapi"].startswith("3.1")
    validate(specification)


@pytest.mark.parametrize("name", SERVICES)
def test_every_operation_has_a_summary_and_its_refusals(name: str) -> None:
    for path, operations in yaml.safe_load(document(name))["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            assert operation["summary"], path
            assert "500" in operation["responses"]
            is_open = operation.get("security") == []
            assert ("401" in operation["responses"]) == (not is_open or path.endswith(("/login", "/refresh")))


def test_check_tells_a_stale_file_from_a_fresh_one(tmp_path: pytest.TempPathFactory) -> None:
    runner, folder = CliRunner(), ["--docs", str(tmp_path)]
    assert runner.invoke(openapi, ["--check", *folder]).exit_code == 1
    assert runner.invoke(openapi, ["--write", *folder]).exit_code == 0
    assert runner.invoke(openapi, ["--check", *folder]).exit_code == 0
    assert yaml.safe_load(runner.invoke(openapi, ["gapi"]).output)["info"]["title"] == "Pulse"


def test_the_gateway_serves_its_specification(gapi: Service) -> None:
    assert gapi.send("GET", "/openapi.json").json() == yaml.safe_load(document("gapi"))


def test_the_api_page_needs_nothing_from_the_internet(gapi: Service) -> None:
    page = gapi.send("GET", "/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert link.startswith("/docs/")
        assert gapi.send("GET", link).status_code == 200
    assert "@import" not in gapi.send("GET", "/docs/swagger-ui.css").text
    assert gapi.send("GET", "/docs/").headers["Location"] == "/docs"
    assert gapi.send("GET", "/docs/index.html").status_code == 404
