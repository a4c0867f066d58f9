"""`Idempotency-Key`: a client's name for one request, by which a repeat of it is given the first answer again."""

import re
from dataclasses import dataclass
from typing import Any

from flask import request

from api_contract.errors import InvalidRequest

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
KEY = re.compile("[!-~]{1,255}")
CODES = ("IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_IN_USE", "IDEMPOTENCY_OUTCOME_UNKNOWN")
PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "description": "Your name for this request, kept for 24 hours: a repeat with the same body gets the same answer.",
    "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
}
ON_ANSWERS: dict[str, Any] = {
    REPLAYED: {"description": "true: this was done by an earlier call.", "schema": {"type": "string"}}
}
_HARMLESS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class KeyUse:
    """What an operation makes of a key.

    `is_done_again`: after a crash that leaves open whether it was done, a repeat may do it, as twice is like once.
    `aside`: fields of the body that may differ from call to call.
    """

    is_done_again: bool = True
    aside: frozenset[str] = frozenset()


def given_key(use: KeyUse | None) -> str | None:
    """The key of this request, if it has one. Raises InvalidRequest for a text that is no key, or where none is used.

    What only reads is repeated without a key, and needs none.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method in _HARMLESS:
        return None
    if use is None:
        raise InvalidRequest(f"this takes no {HEADER}", {"field": HEADER, "rule": "not taken here"})
    if not KEY.fullmatch(key):
        rule = "1 to 255 printable ASCII characters without spaces"
        raise InvalidRequest(f"{HEADER} must be {rule}", {"field": HEADER, "rule": rule})
    return key
