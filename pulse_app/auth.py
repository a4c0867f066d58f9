"""Who calls, and what they may do: the gateway has asked the same, and is not believed."""

from flask import g, request

from api_contract.bearer import bearer
from api_contract.errors import Forbidden, Unauthorized
from api_contract.ids import ACCOUNT_ID
from api_contract.instants import LEEWAY_SECONDS
from api_contract.replays import UsedTokens
from api_contract.scopes import CHANGES_EVERY_ACCOUNT, READS_EVERY_ACCOUNT, Scope, Standing, check_access
from api_contract.service_keys import ServiceRight
from api_contract.service_tokens import check_request
from pulse_app.service_tokens import caller_of, read_service_token
from pulse_core.clock import utcnow
from pulse_core.config import service_public_keys
from pulse_core.owner import EveryAccount, OneAccount, Owner

_HARMLESS_TO_REPEAT = ("GET", "HEAD")
_used = UsedTokens()


def require_service_token() -> None:
    """For `before_request`: no view below runs without a service token that was made for this very request."""
    if request.method == "OPTIONS":
        return
    signed = read_service_token(bearer("a service token"), service_public_keys(), utcnow)
    check_request(signed.claims, request)
    good_until = signed.claims["exp"] + LEEWAY_SECONDS
    if request.method not in _HARMLESS_TO_REPEAT and not _used.use(signed.once, good_until, utcnow().timestamp()):
        raise Unauthorized("the service token was used before")
    g.caller, g.service_rights = caller_of(signed.claims), signed.rights


def account_id() -> str:
    """The account that this call is for. Raises Forbidden when it is for none."""
    if not ACCOUNT_ID.fullmatch(g.caller.account_id):
        raise Forbidden("this call must be made for an account")
    return str(g.caller.account_id)


def owner_to_read() -> Owner:
    """Whose orders may be read."""
    return EveryAccount() if g.caller.role in READS_EVERY_ACCOUNT else OneAccount(account_id())


def named_owner(asked: str) -> OneAccount:
    """The account that is asked for. Raises Forbidden unless its orders may be read."""
    if owner_to_read() not in (EveryAccount(), OneAccount(asked)):
        raise Forbidden("the orders of other accounts are for operators and admins", {"field": "account_id"})
    return OneAccount(asked)


def named_owner_to_change(asked: str) -> OneAccount:
    """The account that is asked for. Raises Forbidden unless its orders may be changed."""
    if owner_to_change() not in (EveryAccount(), OneAccount(asked)):
        raise Forbidden("the orders of other accounts are for operators to change", {"field": "account_id"})
    return OneAccount(asked)


def owner_to_change() -> Owner:
    """Whose orders may be cancelled, paused and resumed."""
    return EveryAccount() if g.caller.role in CHANGES_EVERY_ACCOUNT else OneAccount(account_id())


def check(needed: Scope | Standing) -> None:
    """Raise Forbidden unless the service may call this, for an account that has what is needed, or as the gateway."""
    if ServiceRight.GATEWAY not in g.service_rights and needed not in g.service_rights:
        raise Forbidden("this service may not call this", {"needed": needed})
    if needed != Standing.GATEWAY:
        account_id()
    check_access(g.caller, needed)
