"""What ends one day says so, in the document and in answers to those who use it."""

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import yaml

from gapi_app.endings import ENDING
from tests.contract.client import Account, Service
from tests.contract.compose import ROOT

DOCUMENT = ROOT / "docs" / "services" / "gapi-api" / "openapi.yaml"
HEADERS = ("Deprecation", "Sunset")


def deprecated(operation: dict[str, Any]) -> set[str]:
    return {one["name"] for one in operation.get("parameters", ()) if one.get("deprecated")}


def test_the_document_marks_what_ends_and_nothing_else() -> None:
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    marked = {path: deprecated(item["get"]) for path, item in paths.items() if "get" in item}
    assert {path: names for path, names in marked.items() if names} == {
        path: set(names) for path, names in ENDING.items()
    }


def test_there_is_half_a_year_at_least() -> None:
    for ending in (one for names in ENDING.values() for one in names.values()):
        assert ending.last_day - ending.since >= timedelta(days=183)


@pytest.mark.parametrize(
    ("query", "is_told"), [("?after=key_01J00000000000000000000000", True), ("?limit=1", False), ("", False)]
)
def test_an_answer_to_who_uses_it_says_since_when_and_until_when(
    gapi: Service, trader: Account, query: str, is_told: bool
) -> None:
    answer = gapi.send("GET", f"/api/keys{query}", trader)

    assert answer.status_code == 200
    assert [name in answer.headers for name in HEADERS] == [is_told, is_told]
    if is_told:
        ending = ENDING["/api/keys"]["after"]
        assert answer.headers["Deprecation"] == "@1795824000"
        assert parsedate_to_datetime(answer.headers["Sunset"]).date() == ending.last_day
        assert 'rel="deprecation"' in answer.headers["Link"]


def test_a_refusal_says_it_too(gapi: Service, trader: Account) -> None:
    answer = gapi.send("GET", "/api/keys?after=%21", trader)
    assert (answer.status_code, "Sunset" in answer.headers) == (400, True)
