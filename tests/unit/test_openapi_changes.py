"""Each way to break a client is told, and what breaks none is not."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pulse_ops.cli.openapi import document, openapi
from pulse_ops.openapi import text
from pulse_ops.openapi.changes import breaking_changes

TEXT = {"type": "string"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "security": [{"token": ["orders:read"]}],
    "components": {
        "schemas": {
            "Asked": {
                "type": "object",
                "properties": {
                    "side": {"type": "string", "enum": ["BUY", "SELL"]},
                    "quantity": {"type": "integer", "minimum": 1, "maximum": 100},
                    "note": {"type": ["string", "null"], "maxLength": 20},
                },
                "required": ["side"],
                "additionalProperties": False,
            },
            "Made": {
                "type": "object",
                "properties": {
                    "status": {"type": "string", "enum": ["OPEN", "DONE"]},
                    "price": {"type": "string", "pattern": "^[0-9]+$"},
                    "slices": {"type": "array", "items": {"type": "object", "properties": {"id": TEXT}}},
                },
                "required": ["status", "price"],
            },
            "Refused": {"properties": {"error": {"properties": {"code": {"const": "REFUSED"}, "details": TEXT}}}},
        },
        "responses": {
            "Refused": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}}}
        },
    },
    "paths": {
        "/orders/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": TEXT}],
            "post": {
                "operationId": "place",
                "parameters": [{"in": "query", "name": "limit", "schema": {"type": "integer", "maximum": 200}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}}},
                "responses": {
                    "200": {
                        "headers": {"ETag": {"schema": TEXT}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Made"}}},
                    },
                    "409": {"$ref": "#/components/responses/Refused"},
                },
            },
        }
    },
}
PLACE = "paths./orders/{id}.post"
ASKED, MADE = "components.schemas.Asked", "components.schemas.Made"
GONE = "gone"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with another value at a place, GONE for none."""
    found = deepcopy(DOCUMENT)
    *names, last = path.split(".")
    part: Any = found
    for name in names:
        part = part[int(name) if name.isdigit() and isinstance(part, list) else name]
    if value == GONE:
        part.pop(int(last) if isinstance(part, list) else last)
    elif isinstance(part, list):
        part.insert(int(last), value)
    else:
        part[last] = value
    return found


BREAKS = [
    ("paths./orders/{id}", GONE, "POST /orders/{id}: removed"),
    (f"{PLACE}.operationId", "make", "operationId: is now make, was place"),
    ("security", [{"token": ["admin"]}], "security: token orders:read is no longer enough for token admin"),
    (f"{PLACE}.security", [{"key": []}], "security: token orders:read is no longer enough for key"),
    (f"{PLACE}.parameters.0", GONE, "query limit: removed"),
    (f"{PLACE}.parameters.0.required", True, "query limit: now required"),
    (f"{PLACE}.parameters.0.schema.maximum", 50, "query limit: maximum is now 50, was 200"),
    (f"{PLACE}.parameters.1", {"in": "header", "name": "X", "required": True, "schema": TEXT}, "header X: new and req"),
    (f"{PLACE}.requestBody.required", True, "body: now required"),
    (f"{PLACE}.requestBody", GONE, "body: removed"),
    (f"{PLACE}.requestBody.content", {"text/csv": {"schema": TEXT}}, "body: application/json is no longer taken"),
    (f"{ASKED}.required", ["side", "quantity"], "body.quantity: now required"),
    (f"{ASKED}.properties.note", GONE, "body.note: removed"),
    (f"{ASKED}.properties.side.enum", ["BUY"], "body.side: 'SELL' is no longer taken"),
    (f"{ASKED}.properties.note.enum", ["a", "b"], "body.note: 'any other' is no longer taken"),
    (f"{ASKED}.properties.quantity.minimum", 2, "body.quantity: minimum is now 2, was 1"),
    (f"{ASKED}.properties.note.maxLength", 10, "body.note: maxLength is now 10, was 20"),
    (f"{ASKED}.properties.note.minLength", 1, "body.note: minLength is now 1, was unlimited"),
    (f"{ASKED}.properties.note.type", "string", "body.note: type null is no longer taken"),
    (f"{ASKED}.properties.note.pattern", "^a", "body.note: pattern is now ^a, was any"),
    (f"{PLACE}.responses.200", GONE, "200: removed"),
    (f"{PLACE}.responses.409", GONE, "409: removed"),
    (f"{PLACE}.responses.202", {}, "202: new among the statuses of success"),
    (f"{PLACE}.responses.200.headers.ETag", GONE, "200 header ETag: removed"),
    (f"{PLACE}.responses.200.content", {"text/csv": {"schema": TEXT}}, "200 application/json: removed"),
    (f"{MADE}.properties.price", GONE, "200.price: removed"),
    (f"{MADE}.required", ["status"], "200.price: may now be missing"),
    (f"{MADE}.properties.status.enum", ["OPEN", "DONE", "LOST"], "200.status: may now be 'LOST'"),
    (f"{MADE}.properties.status.enum", GONE, "200.status: may now be 'any other'"),
    (f"{MADE}.properties.price.type", ["string", "null"], "200.price: may now be of type null"),
    (f"{MADE}.properties.price.pattern", GONE, "200.price: pattern is now any, was ^[0-9]+$"),
    (f"{MADE}.properties.slices.items.properties.id", GONE, "200.slices[].id: removed"),
    ("components.schemas.Refused.properties.error.properties.code.const", "NO", "409.error.code: may now be 'NO'"),
]


@pytest.mark.parametrize(("path", "value", "told"), BREAKS, ids=lambda one: str(one)[:60])
def test_a_break_is_told_by_its_operation_and_its_rule(path: str, value: Any, told: str) -> None:
    changes = breaking_changes(DOCUMENT, changed(path, value))
    assert any(told in change for change in changes), changes
    assert all(change.startswith("POST /orders/{id}") for change in changes)


HARMLESS = [
    ("paths./users", {"get": {"responses": {}}}),
    (f"{PLACE}.parameters.1", {"in": "query", "name": "sort", "schema": TEXT}),
    (f"{PLACE}.parameters.0.schema.maximum", 500),
    (f"{PLACE}.security", []),
    (f"{PLACE}.security", [{"key": []}, {"token": ["orders:read"]}]),
    (f"{ASKED}.properties.extra", TEXT),
    (f"{ASKED}.required", []),
    (f"{ASKED}.properties.side.enum", ["BUY", "SELL", "SHORT"]),
    (f"{ASKED}.properties.quantity.type", "number"),
    (f"{ASKED}.properties.quantity.maximum", GONE),
    (f"{MADE}.properties.extra", TEXT),
    (f"{MADE}.required", ["status", "price", "slices"]),
    (f"{MADE}.properties.status.enum", ["OPEN"]),
    (f"{PLACE}.responses.422", {}),
    (f"{PLACE}.responses.409", {"content": {"application/json": {"schema": {"oneOf": [
        {"$ref": "#/components/schemas/Refused"}, {"properties": {"error": {"properties": {"code": {"const": "B"}}}}},
    ]}}}}),
    (f"{PLACE}.responses.200.headers.Age", {"schema": TEXT}),
    (f"{PLACE}.summary", "Another text"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), HARMLESS, ids=lambda one: str(one)[:60])
def test_what_clients_do_not_notice_is_no_break(path: str, value: Any) -> None:
    assert breaking_changes(DOCUMENT, changed(path, value)) == []


def test_an_operation_that_was_open_stays_open() -> None:
    was_open = changed(f"{PLACE}.security", [])
    told = breaking_changes(was_open, DOCUMENT)
    assert told == ["POST /orders/{id} security: nothing is no longer enough for token orders:read"]


def test_an_error_code_that_programs_may_know_stays() -> None:
    second = {"properties": {"error": {"properties": {"code": {"const": "B"}}}}}
    both = {"oneOf": [{"$ref": "#/components/schemas/Refused"}, second]}
    published = changed(f"{PLACE}.responses.409", {"content": {"application/json": {"schema": both}}})
    assert breaking_changes(published, DOCUMENT) == ["POST /orders/{id} 409: 1 removed"]


def test_the_command_fails_for_a_break_and_names_the_file(tmp_path: Path) -> None:
    runner, folder = CliRunner(), ["gapi", "--docs", str(tmp_path)]
    assert runner.invoke(openapi, ["--breaking", *folder]).exit_code == 1, "nothing was published"
    assert runner.invoke(openapi, ["--publish", *folder]).exit_code == 0
    assert runner.invoke(openapi, ["--breaking", *folder]).exit_code == 0

    published = text.read(document("gapi"))
    published["paths"]["/api/gone"] = {"get": {"operationId": "gone", "responses": {}}}
    file = tmp_path / "gapi-api" / "published.yaml"
    file.write_text(text.written(published))
    result = runner.invoke(openapi, ["--breaking", *folder])
    assert result.exit_code == 1
    assert f"{file} is broken: GET /api/gone: removed" in result.output
