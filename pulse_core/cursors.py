"""Cursors of listings: the last id of a page, signed for the listing that gave it out."""

import base64
import binascii
import hmac
from re import Pattern

from api_contract.errors import InvalidRequest
from pulse_core.config import key_of

SIGNATURE_BYTES = 16


def encode(row_id: str, scope: str) -> str:
    """The cursor of the page after this row; `scope` names the listing."""
    return base64.urlsafe_b64encode(row_id.encode() + _signature(row_id, scope)).decode()


def decode(cursor: str, scope: str, pattern: Pattern[str]) -> str:
    """The id in a cursor. Raises InvalidRequest for one that Pulse did not give out for this listing."""
    try:
        signed = base64.urlsafe_b64decode(cursor)
        row_id, signature = signed[:-SIGNATURE_BYTES].decode("ascii"), signed[-SIGNATURE_BYTES:]
    except (binascii.Error, ValueError):
        row_id, signature = "", b""
    if not pattern.fullmatch(row_id) or not hmac.compare_digest(signature, _signature(row_id, scope)):
        raise InvalidRequest("cursor is not one that this service gave out for this listing", {"field": "cursor"})
    return row_id


def _signature(row_id: str, scope: str) -> bytes:
    return hmac.digest(key_of("cursor"), f"cursor {scope} {row_id}".encode(), "sha256")[:SIGNATURE_BYTES]
