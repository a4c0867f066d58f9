"""Logins for the gateway, which keeps no password and no refresh token."""

from typing import Any

from api_contract.errors import NotFound, Unauthorized
from api_contract.scopes import Standing
from api_contract.shapes.internal import LOGIN, PASSWORD, REFRESH, LoginAnswerSchema
from api_contract.shapes.users import LOGOUT_QUERY
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_app.identity.second_factor import proof_of
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, revocations, sessions
from pulse_core.identity.sessions import Login
from pulse_core.login_alarms import raise_login_attack

blueprint = Blueprint("sessions", __name__, url_prefix="/internal/sessions", description="Logging in and out")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(LOGIN)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.refuses("SECOND_FACTOR_REQUIRED", "INVALID_STATE", "RATE_LIMITED")
def log_in(credentials: dict[str, Any]) -> Login:
    """Begin a login for a username, a password and what proves a second factor; too many wrong ones are held up."""
    try:
        who = credentials["username"], credentials["password"], credentials["address"]
        return sessions.log_in(*who, utcnow(), raise_login_attack, proof_of(credentials))
    except Unauthorized as refused:
        raise of_the_user(refused) from None


@blueprint.route("/refresh", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(REFRESH)
@blueprint.response(200, LoginAnswerSchema)
def refresh(given: dict[str, Any]) -> Login:
    """Exchange a refresh token for the next one; one that comes again after 30 s, or too late, ends its login."""
    try:
        return sessions.refresh(given["refresh_token"], given["address"], utcnow())
    except Unauthorized as refused:
        raise of_the_user(refused) from None


@blueprint.route("/<session_id>", methods=["DELETE"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.takes_key()
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND")
def log_out(session_id: str) -> None:
    """End one login of the account; repeating it is harmless."""
    sessions.log_out(account_id(), _storable(session_id), utcnow())


@blueprint.route("", methods=["DELETE"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.takes_key()
@blueprint.arguments(LOGOUT_QUERY, location="query")
@blueprint.response(204)
def log_out_everywhere(query: dict[str, str]) -> None:
    """End every login of the account and every token it has; API keys stay unless `revoke_keys=true`."""
    who = account_id()
    revocations.revoke_all_of(who, who, utcnow(), query["revoke_keys"] == "true")


@blueprint.route("/password", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key(is_done_again=False, aside=["address"])
@blueprint.arguments(PASSWORD)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def change_password(given: dict[str, Any]) -> None:
    """Set a new password for one who knows the current one; ends every login of the account, its keys too if asked."""
    passwords, proof = (given["current_password"], given["new_password"]), proof_of(given)
    accounts.change_password(account_id(), *passwords, given["address"], utcnow(), given["revoke_keys"], proof)


def of_the_user(refused: Unauthorized) -> Unauthorized:
    """The same, said so that the gateway can tell a user's wrong secret from a wrong token of its own."""
    return Unauthorized(refused.message, {"reason": "credentials"})


def _storable(text: str) -> str:
    # A NUL cannot be asked of Postgres.
    if "\x00" in text:
        raise NotFound("there is no such login")
    return text
