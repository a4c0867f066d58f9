"""Logging in, staying in and logging out."""

from datetime import datetime
from typing import Any

from flask import request

from api_contract.errors import Unauthorized
from api_contract.scopes import Standing
from api_contract.shapes.logins import LOGIN, PASSWORD, REFRESH, TokensSchema
from api_contract.shapes.users import LOGOUT_QUERY
from gapi_app.access.auth import access, caller, require_token
from gapi_app.access.revocations import learn_now
from gapi_app.blueprint import Blueprint
from gapi_app.identity.client import identity
from gapi_app.refusals import UPSTREAM

_NOT_STORED = {"Cache-Control": "no-store"}

blueprint = Blueprint("login", __name__, url_prefix="/api/auth", description="Logging in and out")


@blueprint.before_request
def _require_token_but_to_get_one() -> None:
    if request.endpoint not in ("login.log_in", "login.refresh"):
        require_token()


@blueprint.route("/login", methods=["POST"])
@blueprint.doc(security=[])
@blueprint.arguments(LOGIN)
@blueprint.response(200, TokensSchema)
@blueprint.refuses("UNAUTHORIZED", "SECOND_FACTOR_REQUIRED", "INVALID_STATE", *UPSTREAM)
def log_in(credentials: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Exchange a username and password for an access token and a refresh token; guessing is held up.

    Where a second factor is on, send a code with them: without one, the right password is answered 401
    SECOND_FACTOR_REQUIRED, and a wrong one as ever.
    """
    login = identity().login(credentials, request.remote_addr or "")
    return tokens_of(login), 200, _NOT_STORED


@blueprint.route("/refresh", methods=["POST"])
@blueprint.doc(security=[])
@blueprint.arguments(REFRESH)
@blueprint.response(200, TokensSchema)
@blueprint.refuses("UNAUTHORIZED", *UPSTREAM)
def refresh(given: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Exchange a refresh token for new tokens. One that comes again after 30 s, or too late, ends its whole login."""
    try:
        login = identity().refresh(given["refresh_token"], request.remote_addr or "")
    except Unauthorized:
        # It may have been one that was stolen: what its login gave out must end at once.
        learn_now(access().revocations)
        raise
    return tokens_of(login), 200, _NOT_STORED


@blueprint.route("/logout", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.takes_key()
@blueprint.response(204)
def log_out() -> None:
    """End this login: its access tokens and its refresh token."""
    identity().log_out(caller())
    learn_now(access().revocations)


@blueprint.route("/logout-all", methods=["POST"])
@blueprint.needs(Standing.LOGIN, before_enrolment=True)
@blueprint.takes_key()
@blueprint.arguments(LOGOUT_QUERY, location="query")
@blueprint.response(204)
def log_out_everywhere(query: dict[str, str]) -> None:
    """End every login of the account. API keys stay unless `revoke_keys=true`."""
    identity().log_out_everywhere(caller(), query)
    learn_now(access().revocations)


@blueprint.route("/password", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key()
@blueprint.arguments(PASSWORD)
@blueprint.response(204)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def change_password(given: dict[str, Any]) -> None:
    """Set a new password; ends every login of the account, this one too, and with `revoke_keys` its API keys."""
    identity().change_password(caller(), given, request.remote_addr or "")
    learn_now(access().revocations)


def tokens_of(login: dict[str, Any]) -> dict[str, Any]:
    """What a login gives out, as its user is told."""
    tokens = access().tokens
    account_id, own_limit = login["account_id"], login.get("requests_per_minute")
    who, must_enrol = (account_id, login["role"], login["session_id"]), login.get("must_enrol") is True
    return {
        "access_token": tokens.issue(*who, login["generation"], own_limit, must_enrol=must_enrol, cell=login["cell"]),
        "token_type": "Bearer",
        "expires_in": tokens.lifetime_seconds,
        "refresh_token": login["refresh_token"],
        "refresh_expires_at": datetime.fromisoformat(login["expires_at"]),
        "must_enrol": must_enrol,
    }
