"""Accounts, for admins."""

from collections.abc import Sequence
from typing import Any

from api_contract.errors import NotFound
from api_contract.ids import ACCOUNT_ID
from api_contract.scopes import Standing
from api_contract.shapes.identity import NEW_USER, PAGE_QUERY, USER_CHANGE, UserListSchema, UserSchema
from pulse_app.auth import account_id as caller_id
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, revocations
from pulse_core.identity.accounts import AccountReport

blueprint = Blueprint("accounts", __name__, url_prefix="/internal/accounts", description="Accounts, for admins")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, UserListSchema)
def list_accounts(query: dict[str, Any]) -> dict[str, Sequence[AccountReport]]:
    """Accounts by name, those after the username `after`."""
    return {"users": accounts.account_page(query["limit"], query.get("after"))}


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(NEW_USER)
@blueprint.response(201, UserSchema)
@blueprint.refuses("INVALID_STATE")
def add_account(new: dict[str, Any]) -> AccountReport:
    """Make an account."""
    return accounts.add_account(new["username"], new["password"], new["role"], utcnow(), caller_id())


@blueprint.route("/<account_id>", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, UserSchema)
@blueprint.refuses("NOT_FOUND")
def show_account(account_id: str) -> AccountReport:
    """One account."""
    return accounts.account_of(_known(account_id))


@blueprint.route("/<account_id>", methods=["PATCH"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(USER_CHANGE)
@blueprint.response(200, UserSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def change_account(changes: dict[str, Any], account_id: str) -> AccountReport:
    """Change role, password, limit or whether it is active. All but a limit ends its logins; orders go on."""
    return accounts.change_account(_known(account_id), utcnow(), caller_id(), **changes)


@blueprint.route("/<account_id>/sessions", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def log_account_out(account_id: str) -> None:
    """End every login of an account and every token it has; API keys stay."""
    if not revocations.revoke_all_of(_known(account_id), caller_id(), utcnow()):
        raise NotFound("there is no such account")


def _known(account_id: str) -> str:
    if not ACCOUNT_ID.fullmatch(account_id):
        raise NotFound("there is no such account")
    return account_id
