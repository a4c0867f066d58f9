"""News from the broker. Anybody may post here: the signature is checked by pulse, and the news is only a hint."""

from flask import Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from gapi_app.api import Blueprint
from gapi_app.body import MAX_BODY_BYTES
from gapi_app.pulse_client import pulse
from gapi_app.schemas import HealthSchema

blueprint = Blueprint("postbacks", __name__, url_prefix="/api/postbacks", description="News from the broker")


@blueprint.route("/zerodha", methods=["POST"])
@blueprint.doc(
    security=[],
    requestBody={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
)
@blueprint.response(202, HealthSchema)
@blueprint.refuses(
    "INVALID_REQUEST", "FORBIDDEN", "PAYLOAD_TOO_LARGE", "UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT"
)
def take_zerodha_postback() -> tuple[Response, int]:
    """Take a Kite Connect postback, signed with its checksum, as a reason to read the broker's book."""
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    pulse().postback(body)
    return jsonify({"status": "ok"}), 202
