"""The login of broker accounts for who has no shell: operators and admins who have logged in themselves."""

from typing import Any

from api_contract.scopes import Standing
from api_contract.shapes.broker_logins import BrokerStatusSchema, LoginAddressSchema
from api_contract.shapes.internal import BROKER_LOGIN
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.broker_accounts import login
from pulse_core.broker_accounts.login import LoginReport
from pulse_core.clock import utcnow

blueprint = Blueprint(
    "broker logins", __name__, url_prefix="/internal/broker-accounts", description="Who is logged in at the broker"
)
blueprint.before_request(require_service_token)


@blueprint.route("/<name>/status", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, BrokerStatusSchema)
@blueprint.refuses("NOT_FOUND")
def show_broker_login(name: str) -> LoginReport:
    """Whether a broker account can trade: who is logged in, and until when."""
    return login.login_reports(name)[0]


@blueprint.route("/<name>/login", methods=["GET"])
@blueprint.needs(Standing.STAFF)
@blueprint.response(200, LoginAddressSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def show_login_address(name: str) -> dict[str, str]:
    """The broker's page on which a person logs the account in."""
    return {"address": login.login_address(name)}


@blueprint.route("/<name>/login", methods=["POST"])
@blueprint.needs(Standing.STAFF)
@blueprint.takes_key(aside=["address"])
@blueprint.arguments(BROKER_LOGIN)
@blueprint.response(200, BrokerStatusSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def log_broker_account_in(given: dict[str, Any], name: str) -> LoginReport:
    """Exchange the request token that the page has handed out; workers use what it gives within a second."""
    return login.log_in(name, given["request_token"], account_id(), utcnow(), given["address"], given.get("user"))
