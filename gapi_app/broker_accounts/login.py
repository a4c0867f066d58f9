"""The login of broker accounts for who has no shell: operators and admins who have logged in themselves."""

from typing import Any

from flask import Response, jsonify, request

from api_contract.scopes import Standing
from api_contract.shapes.broker_logins import BROKER_LOGIN, BrokerStatusSchema, LoginAddressSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint(
    "broker logins", __name__, url_prefix="/api/broker-accounts", description="Who is logged in at the broker"
)
blueprint.before_request(require_token)


@blueprint.route("/<name>/status", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, BrokerStatusSchema)
@blueprint.refuses("NOT_FOUND")
def show_broker_login(name: str) -> Response:
    """Whether a broker account can trade: who is logged in, and until when."""
    return jsonify(pulse().broker_login(caller(), name))


@blueprint.route("/<name>/login", methods=["GET"])
@blueprint.needs(Standing.STAFF)
@blueprint.response(200, LoginAddressSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def show_login_address(name: str) -> Response:
    """The broker's page on which a person logs the account in."""
    return jsonify(pulse().broker_login_address(caller(), name))


@blueprint.route("/<name>/login", methods=["POST"])
@blueprint.needs(Standing.STAFF)
@blueprint.takes_key()
@blueprint.arguments(BROKER_LOGIN)
@blueprint.response(200, BrokerStatusSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def log_broker_account_in(given: dict[str, Any], name: str) -> Response:
    """Exchange the request token that the page has handed out; workers use what it gives within a second."""
    return jsonify(pulse().log_broker_account_in(caller(), name, given | {"address": request.remote_addr}))
