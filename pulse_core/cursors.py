"""Cursors of listings: the last id of a page, signed for the listing that gave it out."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from re import Pattern

from api_contract.errors import InvalidRequest
from pulse_core.config import keys_of

SIGNATURE_BYTES = 16


def encode(row_id: str, scope: str) -> str:
    """The cursor of the page after this row; `scope` names the listing."""
    return base64.urlsafe_b64encode(row_id.encode() + _signatures(row_id, scope)[0]).decode()


def decode(cursor: str, scope: str, pattern: Pattern[str]) -> str:
    """The id in a cursor. Raises InvalidRequest for one that Pulse did not give out for this listing."""
    try:
        signed = base64.urlsafe_b64decode(cursor)
        row_id, signature = signed[:-SIGNATURE_BYTES].decode("ascii"), signed[-SIGNATURE_BYTES:]
    except (binascii.Error, ValueError):
        row_id, signature = "", b""
    is_ours = any(hmac.compare_digest(signature, one) for one in _signatures(row_id, scope))
    if not pattern.fullmatch(row_id) or not is_ours:
        raise InvalidRequest("cursor is not one that this service gave out for this listing", {"field": "cursor"})
    return row_id


def _signatures(row_id: str, scope: str) -> Sequence[bytes]:
    """By each key, the newest first."""
    signed = f"cursor {scope} {row_id}".encode()
    return [hmac.digest(key, signed, "sha256")[:SIGNATURE_BYTES] for key in keys_of("cursor")]
