"""Service tokens: signed by the gateway for one request, and good for that request alone."""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import jwt

from pulse_app.refusals import CLOCK_OFF
from pulse_core.domain.enums import Role, Scope
from pulse_core.domain.errors import Unauthorized

ISSUER, AUDIENCE = "gapi", "pulse"
GATEWAY = "gapi"
LONGEST_LIFETIME_SECONDS = 60
LONGEST_JTI = 64
LEEWAY_SECONDS = 5
ACCOUNT_ID = re.compile(r"acc_[0-9A-Z]{26}")
_KEY_ID = re.compile(r"key_[0-9A-Z]{26}")
_TEXTS = ("sub", "role", "scope", "method", "path", "body_sha256", "jti")
_CLAIMS = ("iss", "aud", "iat", "exp", *_TEXTS)
# The library would go by the clock of this machine.
_OPTIONS: Any = {"require": list(_CLAIMS), "verify_iat": False, "verify_nbf": False, "verify_exp": False}


@dataclass(frozen=True)
class Caller:
    """Whom a service token speaks for: an account, or the gateway itself. `key_id`: by way of an API key."""

    subject: str
    role: str
    scopes: frozenset[str]
    key_id: str | None = None


@dataclass(frozen=True)
class ServiceToken:
    """Who calls, and the one request that the token is for."""

    caller: Caller
    method: str
    path: str
    body_sha256: str
    jti: str
    good_until: int

    def is_for(self, method: str, path: str, query: bytes) -> bool:
        """Whether it was made for this method, decoded path and raw query."""
        target, _, asked = self.path.partition("?")
        return (self.method, unquote(target), asked.encode()) == (method, path, query)

    def is_for_body(self, body: bytes) -> bool:
        return hmac.compare_digest(self.body_sha256.encode(), hashlib.sha256(body).hexdigest().encode())


def read_service_token(token: str, key: str, clock: Callable[[], datetime]) -> ServiceToken:
    """What a token says. Raises Unauthorized for any token but one that the gateway makes, and makes about now.

    The clock is not asked about a token that is none; what it raises passes through.
    """
    try:
        claims = jwt.decode(token, key, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, options=_OPTIONS)
    except jwt.PyJWTError:
        raise Unauthorized("the service token is not valid") from None
    if not _is_well_formed(claims):
        raise Unauthorized("the service token has claims that no token of the gateway has")
    _check_time(claims, int(clock().timestamp()))
    caller = Caller(claims["sub"], claims["role"], frozenset(claims["scope"].split()), claims.get("key_id"))
    good_until = claims["exp"] + LEEWAY_SECONDS
    return ServiceToken(caller, claims["method"], claims["path"], claims["body_sha256"], claims["jti"], good_until)


def _check_time(claims: dict[str, Any], now: int) -> None:
    begins = max(claims["iat"], claims.get("nbf", 0))
    if begins > now + LEEWAY_SECONDS:
        message = f"the service token is {begins - now} s early: the clock it was made by is ahead of ours"
        raise Unauthorized(message, {CLOCK_OFF: begins - now})
    if claims["exp"] + LEEWAY_SECONDS <= now:
        message = f"the service token ended {now - claims['exp']} s ago: it is old, or its maker's clock is behind ours"
        raise Unauthorized(message, {CLOCK_OFF: claims["exp"] - now})


def _is_well_formed(claims: dict[str, Any]) -> bool:
    issued, expires = claims["iat"], claims["exp"]
    if any(type(one) is not int for one in (issued, expires, claims.get("nbf", 0))):
        return False
    if not all(isinstance(claims[name], str) for name in _TEXTS):
        return False
    if not 0 < expires - issued <= LONGEST_LIFETIME_SECONDS or not 0 < len(claims["jti"]) <= LONGEST_JTI:
        return False
    return claims["sub"] == GATEWAY or _names_an_account(claims)


def _names_an_account(claims: dict[str, Any]) -> bool:
    key_id = claims.get("key_id")
    if key_id is not None and not (isinstance(key_id, str) and _KEY_ID.fullmatch(key_id)):
        return False
    is_known = claims["role"] in tuple(Role) and set(claims["scope"].split()) <= set(Scope)
    return is_known and bool(ACCOUNT_ID.fullmatch(claims["sub"]))
