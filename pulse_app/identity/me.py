"""Who calls."""

from dataclasses import asdict
from typing import Any

from api_contract.scopes import Standing
from api_contract.shapes.internal import ME_QUERY, WhoSchema
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.identity import accounts, sessions

blueprint = Blueprint("me", __name__, url_prefix="/internal/me", description="Who calls")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT, before_enrolment=True)
@blueprint.arguments(ME_QUERY, location="query")
@blueprint.response(200, WhoSchema)
@blueprint.refuses("NOT_FOUND")
def show_me(query: dict[str, str]) -> dict[str, Any]:
    """The account that this call is made for, and until when the login lasts that is named."""
    who = account_id()
    ends_at = sessions.end_of_login(who, query["session_id"]) if "session_id" in query else None
    return asdict(accounts.account_of(who)) | {"login_ends_at": ends_at}
