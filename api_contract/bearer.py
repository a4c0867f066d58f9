"""The token of a request."""

from flask import request

from api_contract.errors import Unauthorized


def bearer(what: str) -> str:
    """The text after `Authorization: Bearer`. Raises Unauthorized, saying what is needed there."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthorized(f"{what} is needed in Authorization: Bearer")
    return text
