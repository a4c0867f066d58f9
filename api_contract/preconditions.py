"""`If-Match`: the versions of a thing that a change is meant for."""

import re
from typing import Any, cast

from flask import g, request

from api_contract.errors import InvalidRequest, PreconditionRequired
from api_contract.versions import Expected

HEADER, CODE, CODE_REQUIRED = "If-Match", "PRECONDITION_FAILED", "PRECONDITION_REQUIRED"
ETAG: dict[str, Any] = {
    "ETag": {"description": "The version of what is told; send it as If-Match.", "schema": {"type": "string"}}
}
_ETAG = r'(?:W/)?"[!#-~]{0,128}"'
_ETAGS = re.compile(rf"{_ETAG}(?: *, *{_ETAG}){{0,15}}")
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "description": "The `ETag` that was read: 412 and nothing done if it is another by now. `*`: whatever it is.",
    "schema": {"type": "string", "pattern": f"^(?:\\*|{_ETAGS.pattern})$"},
}
# Of a change that is only made to what was seen.
NEEDED = "If-Match-Needed"
NEEDED_PARAMETER: dict[str, Any] = {**PARAMETER, "required": True}
_HARMLESS = ("GET", "HEAD", "OPTIONS")


def note_expected(*, is_taken: bool, is_needed: bool = False) -> None:
    """Keep what the request expects.

    Raises InvalidRequest for a text that names no version, or where none is used; PreconditionRequired where one is
    needed and missing.
    """
    given = request.headers.get(HEADER)
    if given is None and is_needed:
        message = f"{HEADER} must say which version is to be changed, or * for any"
        raise PreconditionRequired(message, {"field": HEADER, "rule": "required"})
    if given is None or request.method in _HARMLESS:
        return
    if not is_taken:
        raise InvalidRequest(f"this takes no {HEADER}", {"field": HEADER, "rule": "not taken here"})
    if given != "*" and not _ETAGS.fullmatch(given):
        rule = "ETags in double quotes, separated by commas, or *"
        raise InvalidRequest(f"{HEADER} must be {rule}", {"field": HEADER, "rule": rule})
    g.if_match = given


def stated() -> str | None:
    """The header itself, as it was kept."""
    return cast("str | None", g.get("if_match"))


def expected() -> Expected | None:
    """What this request expects. A weak ETag is that of no version: it never matches."""
    text = stated()
    if text is None:
        return None
    return Expected(None if text == "*" else frozenset(re.findall(_ETAG, text)))
