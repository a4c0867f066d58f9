"""Who calls, and what they may do: the gateway has asked the same, and is not believed."""

from enum import StrEnum

from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge

from pulse_app.body import MAX_BODY_BYTES
from pulse_app.replays import UsedTokens
from pulse_app.service_tokens import ACCOUNT_ID, GATEWAY, ServiceToken, read_service_token
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.domain.enums import Role, Scope
from pulse_core.domain.errors import Forbidden, Unauthorized
from pulse_core.domain.roles import ADMINISTERS, CHANGES_EVERY_ACCOUNT, READS_EVERY_ACCOUNT, SCOPES


class Standing(StrEnum):
    """What a call must be, where no scope says it."""

    LOGIN = "login"
    ADMIN = "admin"
    GATEWAY = "gateway"


_HARMLESS_TO_REPEAT = ("GET", "HEAD")
_used = UsedTokens()


def require_service_token() -> None:
    """For `before_request`: no view below runs without a service token that was made for this very request."""
    if request.method == "OPTIONS":
        return
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthorized("a service token is needed in Authorization: Bearer")
    token = read_service_token(text, settings().pulse_service_token_key.get_secret_value(), utcnow)
    _check_bound(token)
    if request.method not in _HARMLESS_TO_REPEAT and not _used.use(token.jti, token.good_until, utcnow().timestamp()):
        raise Unauthorized("the service token was used before")
    g.caller = token.caller


def account_id() -> str:
    """The account that this call is for. Raises Forbidden when it is for none."""
    if not ACCOUNT_ID.fullmatch(g.caller.subject):
        raise Forbidden("this call must be made for an account")
    return str(g.caller.subject)


def owner_to_read() -> str | None:
    """Whose orders may be read: one account's, None for everybody's."""
    return None if g.caller.role in READS_EVERY_ACCOUNT else account_id()


def owner_to_change() -> str | None:
    """Whose orders may be cancelled, paused and resumed: one account's, None for everybody's."""
    return None if g.caller.role in CHANGES_EVERY_ACCOUNT else account_id()


def check(needed: Scope | Standing) -> None:
    """Raise Forbidden unless the call is made for an account that has what is needed, or by the gateway itself."""
    if needed == Standing.GATEWAY:
        _check_gateway()
        return
    account_id()
    if isinstance(needed, Scope):
        _check_scope(needed)
        return
    _check_login()
    if needed == Standing.ADMIN:
        _check_admin()


def _check_gateway() -> None:
    if g.caller.subject != GATEWAY:
        raise Forbidden("only the gateway itself may call this", {"needed": Standing.GATEWAY})


def _check_scope(scope: Scope) -> None:
    if scope not in SCOPES[Role(g.caller.role)]:
        raise Forbidden(f"the role {g.caller.role} does not have {scope}", {"role": g.caller.role, "needed": scope})
    if scope not in g.caller.scopes:
        raise Forbidden(f"the API key does not have {scope}", {"needed": scope})


def _check_login() -> None:
    # Keys do not manage keys or people.
    if g.caller.key_id is not None:
        raise Forbidden("an API key may not do this: log in", {"needed": Standing.LOGIN})


def _check_admin() -> None:
    if g.caller.role not in ADMINISTERS:
        raise Forbidden("this needs an admin", {"role": g.caller.role, "needed": Standing.ADMIN})


def _check_bound(token: ServiceToken) -> None:
    if not token.is_for(request.method, request.path, request.query_string):
        raise Unauthorized("the service token was made for another request")
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if not token.is_for_body(body):
        raise Unauthorized("the service token was made for another body")
