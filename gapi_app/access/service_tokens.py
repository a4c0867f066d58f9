"""The service tokens of siblings."""

import re
from typing import Any

from api_contract import instants
from api_contract.errors import Unauthorized
from api_contract.service_tokens import GAPI, signed_claims
from gapi_app import clock

_SIBLING = re.compile(r"[a-z0-9-]{1,32}")


def read_sibling_token(text: str, key: str) -> dict[str, Any]:
    """The claims of a token that another service made for us, and makes about now. Raises Unauthorized."""
    claims = signed_claims(text, key, GAPI)
    now = clock.now()
    if instants.is_early(claims, now) or instants.is_over(claims["exp"], now):
        raise Unauthorized("the service token is not valid")
    if claims["iss"] == GAPI or not _SIBLING.fullmatch(claims["iss"]):
        raise Unauthorized("the service token is not valid")
    return claims
