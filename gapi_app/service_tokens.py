"""Service tokens: each is signed for one request to one service, and good for that request alone."""

import hashlib
import hmac
import re
import uuid
from typing import Any
from urllib.parse import unquote

import jwt
from flask import Request

from gapi_app import clock, instants
from gapi_app.errors import Unauthorized
from gapi_app.roles import Caller

LIFETIME_SECONDS, LONGEST_LIFETIME_SECONDS = 30, 60
ISSUER, PULSE = "gapi", "pulse"
_SIBLING = re.compile(r"[a-z0-9-]{1,32}")
_CLAIMS = ("iss", "aud", "iat", "exp", "jti", "method", "path", "body_sha256")


def service_token(key: str, who: Caller, method: str, path: str, body: bytes) -> str:
    """A token for this one request to pulse; `path` with its query, as it is sent."""
    now = int(clock.now())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": PULSE,
        "sub": who.account_id,
        "role": who.role,
        "scope": " ".join(sorted(who.scopes)),
        "method": method,
        "path": path,
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims | ({"key_id": who.key_id} if who.key_id else {}), key, algorithm="HS256")


def read_sibling_token(text: str, key: str, request: Request) -> dict[str, Any]:
    """The claims of a token that another service made for this request to us. Raises Unauthorized."""
    try:
        claims: dict[str, Any] = jwt.decode(
            text, key, algorithms=["HS256"], audience=ISSUER, options=instants.unchecked(_CLAIMS)
        )
    except (jwt.PyJWTError, ValueError):
        raise Unauthorized("the service token is not valid") from None
    if not _is_well_formed(claims) or instants.is_early(claims) or instants.is_over(claims["exp"]):
        raise Unauthorized("the service token is not valid")
    if not _is_for(claims, request):
        raise Unauthorized("the service token was made for another request")
    return claims


def _is_well_formed(claims: dict[str, Any]) -> bool:
    issued, expires = claims["iat"], claims["exp"]
    if not instants.are_numbers(claims) or not 0 < expires - issued <= LONGEST_LIFETIME_SECONDS:
        return False
    texts = ("iss", "jti", "method", "path", "body_sha256")
    if not all(isinstance(claims[name], str) and claims[name] for name in texts) or len(claims["jti"]) > 64:
        return False
    return claims["iss"] != ISSUER and bool(_SIBLING.fullmatch(claims["iss"]))


def _is_for(claims: dict[str, Any], request: Request) -> bool:
    path, _, query = claims["path"].partition("?")
    is_for_target = (claims["method"], unquote(path), query.encode()) == (
        request.method,
        request.path,
        request.query_string,
    )
    digest = hashlib.sha256(request.get_data()).hexdigest()
    return is_for_target and hmac.compare_digest(claims["body_sha256"].encode(), digest.encode())
