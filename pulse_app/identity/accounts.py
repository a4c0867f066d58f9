"""Accounts, for admins."""

from datetime import timedelta
from typing import Any

from api_contract.errors import NotFound
from api_contract.ids import ACCOUNT_ID
from api_contract.policy_rules import CatchUpPolicy
from api_contract.preconditions import ETAG, expected
from api_contract.risk_rules import RiskLimits
from api_contract.scopes import Standing
from api_contract.shapes.policies import NEW_POLICY, AccountPolicySchema
from api_contract.shapes.risk import LIMITS_QUERY, NEW_RISK_LIMITS, AccountLimitsSchema
from api_contract.shapes.users import (
    LOGOUT_QUERY,
    NEW_USER,
    OFFBOARD,
    PAGE_QUERY,
    USER_CHANGE,
    OffboardedSchema,
    UserListSchema,
    UserSchema,
)
from api_contract.versions import etag_of
from api_contract.vocabulary import OpenOrders
from pulse_app.auth import account_id as caller_id
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core import account_limits
from pulse_core.account_limits import AccountLimits
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, revocations, second_factor
from pulse_core.identity.accounts import AccountPage, AccountReport
from pulse_core.policies import setting as policies
from pulse_core.policies.setting import AccountPolicy
from pulse_core.trading.order.wind_down import wind_down

# Shorter than the gateway waits.
_WINDING_DOWN = timedelta(seconds=2)

blueprint = Blueprint("accounts", __name__, url_prefix="/internal/accounts", description="Accounts, for admins")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, UserListSchema)
def list_accounts(query: dict[str, Any]) -> AccountPage:
    """Accounts by name, a page at a time."""
    return accounts.account_page(query["limit"], query.get("after"), query.get("cursor"))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key(is_done_again=False)
@blueprint.arguments(NEW_USER)
@blueprint.response(201, UserSchema)
@blueprint.refuses("INVALID_STATE")
def add_account(new: dict[str, Any]) -> AccountReport:
    """Make an account."""
    return accounts.add_account(new["username"], new["password"], new["role"], utcnow(), caller_id())


@blueprint.route("/<account_id>", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, UserSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def show_account(account_id: str) -> tuple[AccountReport, int, dict[str, str]]:
    """One account."""
    return _versioned(accounts.account_of(_known(account_id)))


@blueprint.route("/<account_id>", methods=["PATCH"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(USER_CHANGE)
@blueprint.response(200, UserSchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def change_account(changes: dict[str, Any], account_id: str) -> tuple[AccountReport, int, dict[str, str]]:
    """Change role, password, limit or whether it is active. All but a limit ends its logins; orders go on."""
    return _versioned(
        accounts.change_account(_known(account_id), utcnow(), caller_id(), expected=expected(), **changes)
    )


@blueprint.route("/<account_id>/sessions", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(LOGOUT_QUERY, location="query")
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def log_account_out(query: dict[str, str], account_id: str) -> None:
    """End every login of an account and every token it has; API keys stay unless `revoke_keys=true`."""
    revoke_keys = query["revoke_keys"] == "true"
    if not revocations.revoke_all_of(_known(account_id), caller_id(), utcnow(), revoke_keys):
        raise NotFound("there is no such account")


@blueprint.route("/<account_id>/second-factor", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def remove_second_factor(account_id: str) -> None:
    """Remove the second factor of an account whose user has lost it; ends its logins. Repeating it is harmless."""
    second_factor.remove(_known(account_id), caller_id(), utcnow())


@blueprint.route("/<account_id>/offboard", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(OFFBOARD)
@blueprint.response(200, OffboardedSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def offboard_account(wish: dict[str, OpenOrders], account_id: str) -> dict[str, Any]:
    """End an account with its logins and API keys, and keep, pause or cancel its open orders; repeating is harmless."""
    now = utcnow()
    # First who may no longer place any, then the orders.
    out = accounts.offboard_account(_known(account_id), caller_id(), now, expected())
    orders = wind_down(account_id, wish["open_orders"], caller_id(), now, _WINDING_DOWN)
    changed = {"orders_changed": orders.changed, "orders_left": orders.left}
    return {"user": out.account, "keys_revoked": out.keys_revoked} | changed


@blueprint.route("/<account_id>/limits", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(LIMITS_QUERY, location="query")
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def show_account_limits(query: dict[str, str], account_id: str) -> AccountLimits:
    """What an account may do at most with a broker account, and what of that is left."""
    return account_limits.limits_report(_known(account_id), query.get("broker_account"), utcnow())


@blueprint.route("/<account_id>/limits", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_RISK_LIMITS)
@blueprint.response(200, AccountLimitsSchema)
@blueprint.refuses("NOT_FOUND")
def set_account_limits(stated: RiskLimits, account_id: str) -> AccountLimits:
    """Set all limits of an account in place of those before; written down with both. Repeating it is harmless."""
    return account_limits.set_limits(_known(account_id), stated, caller_id(), utcnow())


@blueprint.route("/<account_id>/policy", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def show_account_policy(account_id: str) -> AccountPolicy:
    """How an account's orders catch up that do not state it."""
    return policies.policy_of(_known(account_id))


@blueprint.route("/<account_id>/policy", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_POLICY)
@blueprint.response(200, AccountPolicySchema)
@blueprint.refuses("NOT_FOUND")
def set_account_policy(stated: CatchUpPolicy, account_id: str) -> AccountPolicy:
    """Set all of that in place of what held before; written down with both. Repeating it is harmless."""
    return policies.set_policy(_known(account_id), stated, caller_id(), utcnow())


def _versioned(account: AccountReport) -> tuple[AccountReport, int, dict[str, str]]:
    return account, 200, {"ETag": etag_of(account)}


def _known(account_id: str) -> str:
    if not ACCOUNT_ID.fullmatch(account_id):
        raise NotFound("there is no such account")
    return account_id
