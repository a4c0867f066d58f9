"""What gateways must refuse before it expires."""

from typing import Any

from pulse_app.api import Blueprint
from pulse_app.auth import require_gateway, require_service_token
from pulse_app.identity_schemas import NEW_REVOCATION, NEWS_QUERY, NewsSchema
from pulse_core.clock import utcnow
from pulse_core.domain.errors import InvalidRequest
from pulse_core.services import revocations
from pulse_core.services.revocations import News

_ALWAYS = ("UNAUTHORIZED", "FORBIDDEN", "DATABASE_ERROR", "SERVICE_UNAVAILABLE")

blueprint = Blueprint("revocations", __name__, url_prefix="/internal/revocations", description="Revoked tokens")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.arguments(NEWS_QUERY, location="query")
@blueprint.response(200, NewsSchema)
@blueprint.refuses("INVALID_REQUEST", *_ALWAYS)
def list_news(query: dict[str, Any]) -> News:
    """Revocations in their order, those that came after the id; for the gateway itself."""
    require_gateway()
    return revocations.news(query["after"], query["limit"])


@blueprint.route("", methods=["POST"])
@blueprint.arguments(NEW_REVOCATION)
@blueprint.response(204)
@blueprint.refuses("INVALID_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", *_ALWAYS)
def revoke(given: dict[str, str]) -> None:
    """Revoke one access token or all of an account, as a sibling service asked the gateway to."""
    require_gateway()
    if ("jti" in given) == ("account_id" in given):
        raise InvalidRequest("give jti or account_id, one of them", {"fields": ["jti", "account_id"]})
    if "jti" in given:
        revocations.revoke_token(given["jti"], given["actor"], utcnow())
        return
    revocations.revoke_all_of(given["account_id"], given["actor"], utcnow())
