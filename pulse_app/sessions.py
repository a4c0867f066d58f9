"""Logins for the gateway, which keeps no password and no refresh token."""

from typing import Any

from pulse_app.api import Blueprint
from pulse_app.auth import person, require_gateway, require_service_token
from pulse_app.identity_schemas import LOGIN, PASSWORD, REFRESH, LoginAnswerSchema
from pulse_core.clock import utcnow
from pulse_core.domain.errors import NotFound, Unauthorized
from pulse_core.services import accounts, revocations, sessions
from pulse_core.services.sessions import Login

_DATABASE = ("DATABASE_ERROR", "SERVICE_UNAVAILABLE")
_BODY = ("INVALID_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE")

blueprint = Blueprint("sessions", __name__, url_prefix="/internal/sessions", description="Logging in and out")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(LOGIN)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.refuses(*_BODY, "UNAUTHORIZED", "FORBIDDEN", "RATE_LIMITED", *_DATABASE)
def log_in(credentials: dict[str, Any]) -> Login:
    """Begin a login for a username and password; too many wrong ones are held up."""
    require_gateway()
    try:
        return sessions.log_in(credentials["username"], credentials["password"], credentials["address"], utcnow())
    except Unauthorized as refused:
        raise of_the_user(refused) from None


@blueprint.route("/refresh", methods=["POST"])
@blueprint.arguments(REFRESH)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.refuses(*_BODY, "UNAUTHORIZED", "FORBIDDEN", *_DATABASE)
def refresh(given: dict[str, Any]) -> Login:
    """Exchange a refresh token for the next one; one that comes twice ends its login."""
    require_gateway()
    try:
        return sessions.refresh(given["refresh_token"], given["address"], utcnow())
    except Unauthorized as refused:
        raise of_the_user(refused) from None


@blueprint.route("/<session_id>", methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses("UNAUTHORIZED", "FORBIDDEN", *_DATABASE)
def log_out(session_id: str) -> None:
    """End one login of the account; repeating it is harmless."""
    sessions.log_out(person(), _storable(session_id), utcnow())


@blueprint.route("", methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses("UNAUTHORIZED", "FORBIDDEN", *_DATABASE)
def log_out_everywhere() -> None:
    """End every login of the account and every token it has."""
    who = person()
    revocations.revoke_all_of(who, who, utcnow())


@blueprint.route("/password", methods=["POST"])
@blueprint.arguments(PASSWORD)
@blueprint.response(204)
@blueprint.refuses(*_BODY, "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "RATE_LIMITED", *_DATABASE)
def change_password(given: dict[str, Any]) -> None:
    """Set a new password for one who knows the current one; ends every login of the account."""
    accounts.change_password(person(), given["current_password"], given["new_password"], given["address"], utcnow())


def of_the_user(refused: Unauthorized) -> Unauthorized:
    """The same, said so that the gateway can tell a user's wrong secret from a wrong token of its own."""
    return Unauthorized(refused.message, {"reason": "credentials"})


def _storable(text: str) -> str:
    # A NUL cannot be asked of Postgres.
    if "\x00" in text:
        raise NotFound("there is no such login")
    return text
