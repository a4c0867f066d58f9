"""The service tokens of the gateway, and of siblings that may do a part of what it may."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from api_contract import instants
from api_contract.errors import Unauthorized
from api_contract.ids import ACCOUNT_ID, KEY_ID
from api_contract.scopes import GATEWAY, Caller, Role, Scope
from api_contract.service_keys import PublicKeys, ServiceRight
from api_contract.service_tokens import CALLER_TEXTS, MUST_ENROL, PULSE, Signed, signed_claims
from pulse_app.refusals import CLOCK_OFF

# A sibling calls for one account at a time: the roles above see and change those of others.
_ROLES_OF_SIBLINGS = (Role.VIEWER, Role.TRADER)


def read_service_token(text: str, keys: PublicKeys, clock: Callable[[], datetime]) -> Signed:
    """A token that a service made, and makes about now. Raises Unauthorized for any other.

    The clock is not asked about a token that is none; what it raises passes through.
    """
    signed = signed_claims(text, keys, PULSE, CALLER_TEXTS)
    claims, is_gateway = signed.claims, ServiceRight.GATEWAY in signed.rights
    if claims["sub"] != GATEWAY.account_id and not _names_an_account(claims):
        raise Unauthorized("the service token has claims that no token of the gateway has")
    if not is_gateway and not _is_within(signed):
        raise Unauthorized("the service token has claims that this service has no right to")
    _check_time(claims, int(clock().timestamp()))
    return signed


def caller_of(claims: dict[str, Any]) -> Caller:
    """Whom a token speaks for: an account, or the gateway itself."""
    scopes = frozenset(claims["scope"].split())
    return Caller(
        claims["sub"], claims["role"], scopes, key_id=claims.get("key_id"), must_enrol=claims.get(MUST_ENROL, False)
    )


def _check_time(claims: dict[str, Any], now: int) -> None:
    if instants.is_early(claims, now):
        early = instants.beginning(claims) - now
        message = f"the service token is {early} s early: the clock it was made by is ahead of ours"
        raise Unauthorized(message, {CLOCK_OFF: early})
    if instants.is_over(claims["exp"], now):
        message = f"the service token ended {now - claims['exp']} s ago: it is old, or its maker's clock is behind ours"
        raise Unauthorized(message, {CLOCK_OFF: claims["exp"] - now})


def _is_within(signed: Signed) -> bool:
    claims = signed.claims
    return claims["role"] in _ROLES_OF_SIBLINGS and set(claims["scope"].split()) <= signed.rights


def _names_an_account(claims: dict[str, Any]) -> bool:
    key_id = claims.get("key_id")
    if key_id is not None and not (isinstance(key_id, str) and KEY_ID.fullmatch(key_id)):
        return False
    if type(claims.get(MUST_ENROL, False)) is not bool:
        return False
    is_known = claims["role"] in tuple(Role) and set(claims["scope"].split()) <= set(Scope)
    return is_known and bool(ACCOUNT_ID.fullmatch(claims["sub"]))
