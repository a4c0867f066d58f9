"""Postbacks of the broker, as the gateway received them."""

import base64
import binascii

from api_contract.errors import InvalidRequest
from api_contract.scopes import Standing
from api_contract.shapes.health import HealthSchema
from api_contract.shapes.internal import POSTBACK
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.trading.slice.postback import take_postback

blueprint = Blueprint("postbacks", __name__, url_prefix="/internal/postbacks", description="News from the broker")
blueprint.before_request(require_service_token)


@blueprint.route("/zerodha", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(POSTBACK)
@blueprint.response(202, HealthSchema)
def take_zerodha_postback(news: dict[str, str]) -> dict[str, str]:
    """Verify a postback's checksum and have the broker's book read; its content is not believed."""
    try:
        body = base64.b64decode(news["body"], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("body is not base64", {"field": "body"}) from None
    # What Kite signs stands in the body.
    take_postback(body, {})
    return {"status": "ok"}
