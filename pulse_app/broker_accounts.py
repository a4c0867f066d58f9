"""Broker accounts, and the grants to trade with them."""

from typing import Any

from api_contract.errors import NotFound
from api_contract.order_rules import BROKER_ACCOUNT
from api_contract.scopes import Standing
from api_contract.shapes.broker_accounts import (
    NEW_BROKER_ACCOUNT,
    BrokerAccountListSchema,
    BrokerAccountSchema,
    GrantListSchema,
)
from pulse_app.auth import account_id as caller_id
from pulse_app.auth import owner_to_read, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.broker_accounts import accounts, grants
from pulse_core.broker_accounts.accounts import BrokerAccountReport
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount

blueprint = Blueprint(
    "broker_accounts", __name__, url_prefix="/internal/broker-accounts", description="Where orders are traded"
)
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, BrokerAccountListSchema)
def list_broker_accounts() -> dict[str, Any]:
    """The broker accounts that the caller may trade with; for operators and admins, all."""
    is_all = owner_to_read() == EveryAccount()
    return {"broker_accounts": accounts.every_account() if is_all else accounts.accounts_for(caller_id())}


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key(is_done_again=False)
@blueprint.arguments(NEW_BROKER_ACCOUNT)
@blueprint.response(201, BrokerAccountSchema)
@blueprint.refuses("INVALID_STATE")
def add_broker_account(new: dict[str, str]) -> BrokerAccountReport:
    """Add an account at a broker. Nobody may trade with it until it is granted."""
    return accounts.add_account(new["name"], new["broker"], caller_id(), utcnow())


@blueprint.route("/<name>/grants", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, GrantListSchema)
@blueprint.refuses("NOT_FOUND")
def list_grants(name: str) -> dict[str, Any]:
    """Who may trade with a broker account, by grants."""
    return {"broker_account": name, "grants": grants.grants_of(_known(name))}


@blueprint.route("/<name>/grants/<account_id>", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def grant_broker_account(name: str, account_id: str) -> None:
    """Let a user trade with a broker account; repeating it is harmless."""
    grants.grant(_known(name), account_id, caller_id(), utcnow())


@blueprint.route("/<name>/grants/<account_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def revoke_grant(name: str, account_id: str) -> None:
    """Let a user place no more orders with a broker account; open orders go on. Repeating it is harmless."""
    grants.revoke_grant(_known(name), account_id, caller_id(), utcnow())


def _known(name: str) -> str:
    # Not every text can be asked of Postgres: a NUL would fail there.
    if not BROKER_ACCOUNT.fullmatch(name):
        raise NotFound("there is no such broker account")
    return name
