"""What gateways must refuse before it expires."""

from typing import Any

from api_contract.errors import InvalidRequest
from api_contract.scopes import Standing
from api_contract.shapes.internal import NEW_REVOCATION, NEWS_QUERY, NewsSchema
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.identity import revocations
from pulse_core.identity.revocations import Revocations

blueprint = Blueprint("revocations", __name__, url_prefix="/internal/revocations", description="Revoked tokens")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(NEWS_QUERY, location="query")
@blueprint.response(200, NewsSchema)
def list_news(query: dict[str, Any]) -> Revocations:
    """Revocations in their order, those that came after the id; for the gateway itself."""
    return revocations.news(query["after"], query["limit"])


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(NEW_REVOCATION)
@blueprint.response(204)
def revoke(given: dict[str, str]) -> None:
    """Revoke one access token or all of an account, as a sibling service asked the gateway to."""
    if ("jti" in given) == ("account_id" in given):
        rule = "give jti or account_id, one of them"
        raise InvalidRequest(rule, {"fields": {"jti": rule, "account_id": rule}})
    if "jti" in given:
        revocations.revoke_token(given["jti"], given["actor"], utcnow())
        return
    revocations.revoke_all_of(given["account_id"], given["actor"], utcnow())
