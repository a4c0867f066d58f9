"""Postbacks of the broker. Anybody may post here: pulse checks the signature, and a postback is only a hint."""

from flask import Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from api_contract.body import MAX_BODY_BYTES
from api_contract.shapes.health import HealthSchema
from gapi_app.blueprint import Blueprint
from gapi_app.refusals import UPSTREAM
from gapi_app.upstream import pulse

_TEXT = {"type": "string", "minLength": 1, "maxLength": 64}
_NEWS = {
    "schema": {
        "type": "object",
        "properties": {"order_id": _TEXT, "order_timestamp": _TEXT, "checksum": _TEXT},
        "required": ["order_id", "order_timestamp", "checksum"],
    },
    "example": {
        "order_id": "2611232308200000002",
        "order_timestamp": "2026-11-23 11:55:06",
        "status": "COMPLETE",
        "checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    },
}

blueprint = Blueprint("postbacks", __name__, url_prefix="/api/postbacks", description="News from the broker")


@blueprint.route("/zerodha", methods=["POST"])
@blueprint.doc(security=[], requestBody={"required": True, "content": {"application/json": _NEWS}})
@blueprint.response(202, HealthSchema)
@blueprint.refuses("INVALID_REQUEST", "FORBIDDEN", *UPSTREAM)
def take_zerodha_postback() -> tuple[Response, int]:
    """Take a Kite Connect postback, signed with its checksum, as a reason to read the broker's book."""
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    pulse().postback(body)
    return jsonify({"status": "ok"}), 202
