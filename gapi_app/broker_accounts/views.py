"""Broker accounts, and the grants to trade with them."""

from flask import Response, jsonify

from api_contract.scopes import Standing
from api_contract.shapes.broker_accounts import (
    NEW_BROKER_ACCOUNT,
    BrokerAccountListSchema,
    BrokerAccountSchema,
    GrantListSchema,
)
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint(
    "broker_accounts", __name__, url_prefix="/api/broker-accounts", description="Where orders are traded"
)
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.response(200, BrokerAccountListSchema)
def list_broker_accounts() -> Response:
    """The broker accounts that the caller may trade with; for operators and admins, all."""
    return jsonify(pulse().broker_accounts(caller()))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.arguments(NEW_BROKER_ACCOUNT)
@blueprint.response(201, BrokerAccountSchema)
@blueprint.refuses("INVALID_STATE")
def add_broker_account(new: dict[str, str]) -> tuple[Response, int]:
    """Add an account at a broker. Nobody may trade with it until it is granted."""
    return jsonify(pulse().add_broker_account(caller(), new)), 201


@blueprint.route("/<name>/grants", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.response(200, GrantListSchema)
@blueprint.refuses("NOT_FOUND")
def list_grants(name: str) -> Response:
    """Who may trade with a broker account, by grants."""
    return jsonify(pulse().broker_grants(caller(), name))


@blueprint.route("/<name>/grants/<account_id>", methods=["PUT"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def grant_broker_account(name: str, account_id: str) -> None:
    """Let a user trade with a broker account; repeating it is harmless."""
    pulse().change_broker_grant(caller(), "PUT", name, account_id)


@blueprint.route("/<name>/grants/<account_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def revoke_grant(name: str, account_id: str) -> None:
    """Let a user place no more orders with a broker account; open orders go on. Repeating it is harmless."""
    pulse().change_broker_grant(caller(), "DELETE", name, account_id)
