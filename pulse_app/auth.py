"""Service tokens: signed by the gateway for one call, and good for a minute at most."""

import re
from dataclasses import dataclass
from typing import Any

import jwt
from flask import g, request

from pulse_core.config import settings
from pulse_core.domain.enums import Role
from pulse_core.domain.errors import Forbidden, Unauthorized

ISSUER, AUDIENCE = "gapi", "pulse"
LONGEST_LIFETIME_SECONDS = 60
GATEWAY = "gapi"
_ACCOUNT_ID = re.compile(r"acc_[0-9A-Z]{26}")
_CLAIMS = ("iss", "aud", "sub", "role", "iat", "exp", "jti")


@dataclass(frozen=True)
class Caller:
    """Whom a service token speaks for: an account, or the gateway itself."""

    subject: str
    role: str


def require_service_token() -> None:
    """For `before_request`: no view below runs without a valid service token."""
    if request.method == "OPTIONS":
        return
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Unauthorized("a service token is needed in Authorization: Bearer")
    g.caller = read_service_token(token, settings().pulse_service_token_key.get_secret_value())


def read_service_token(token: str, key: str) -> Caller:
    """The caller that a token names. Raises Unauthorized for any token but one that the gateway makes."""
    try:
        claims = jwt.decode(
            token, key, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER, options={"require": list(_CLAIMS)}
        )
    except jwt.PyJWTError:
        raise Unauthorized("the service token is not valid") from None
    if not _is_well_formed(claims):
        raise Unauthorized("the service token has claims that no token of the gateway has")
    return Caller(claims["sub"], claims["role"])


def account_id() -> str:
    """The account that this call is for. Raises Forbidden when it is for none."""
    if not _ACCOUNT_ID.fullmatch(g.caller.subject):
        raise Forbidden("this call must be made for an account")
    return str(g.caller.subject)


def trading_account_id() -> str:
    """The account that this call is for, which must be allowed to trade."""
    if g.caller.role == Role.VIEWER:
        raise Forbidden("this account may look, not trade", {"role": g.caller.role})
    return account_id()


def require_operator() -> None:
    """Raise Forbidden unless the call is made for an operator."""
    if g.caller.role != Role.OPERATOR:
        raise Forbidden("this needs an operator", {"role": g.caller.role})


def require_gateway() -> None:
    """Raise Forbidden unless the gateway calls on its own behalf."""
    if g.caller.subject != GATEWAY:
        raise Forbidden("only the gateway itself may call this")


def _is_well_formed(claims: dict[str, Any]) -> bool:
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int or not isinstance(claims["jti"], str):
        return False
    if not 0 < expires - issued <= LONGEST_LIFETIME_SECONDS:
        return False
    is_gateway = claims["sub"] == GATEWAY
    return is_gateway or (bool(_ACCOUNT_ID.fullmatch(claims["sub"])) and claims["role"] in tuple(Role))
