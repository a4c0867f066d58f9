"""The public order API: check, forward to pulse, hand back what pulse says."""

from typing import Any

from flask import Response, current_app, jsonify

from gapi_app.api import Blueprint
from gapi_app.auth import reader, require_token, trader
from gapi_app.conditional import ETAG, NOT_MODIFIED
from gapi_app.pulse_client import pulse
from gapi_app.rules import check_new_order
from gapi_app.schemas import (
    NEW_ORDER,
    ORDER_QUERY,
    AcceptedSchema,
    OrderPageSchema,
    OrderSchema,
    SliceListSchema,
)

_UPSTREAM = ("UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT")
_LOCATION = {"Location": {"description": "The order.", "schema": {"type": "string"}}}
_REPLAYED = {"Idempotent-Replayed": {"description": "true: made by an earlier call.", "schema": {"type": "string"}}}

blueprint = Blueprint("orders", __name__, url_prefix="/api/orders", description="Parent orders and their slices")
blueprint.before_request(require_token)


@blueprint.route("", methods=["POST"])
@blueprint.arguments(NEW_ORDER)
@blueprint.response(202, AcceptedSchema, headers=_LOCATION | _REPLAYED)
@blueprint.refuses(
    "INVALID_REQUEST", "INVALID_INSTRUMENT", "INVALID_QUANTITY", "INVALID_SPLIT_CONFIG", "UNAUTHORIZED", "FORBIDDEN",
    "DUPLICATE_ORDER_UNIQUE_KEY", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", *_UPSTREAM,
)  # fmt: skip
def place_order(new_order: dict[str, Any]) -> tuple[Response, int, dict[str, str]]:
    """Take an order that will be split and worked over time; repeating it with its key makes no second one."""
    who = trader()
    check_new_order(new_order, current_app.config["EXCHANGES"])
    answer = pulse().place_order(who, new_order)
    headers = {"Location": f"/api/orders/{answer.body['order_id']}"}
    if answer.status == 200:
        headers["Idempotent-Replayed"] = "true"
    return jsonify(answer.body), 202, headers


@blueprint.route("", methods=["GET"])
@blueprint.arguments(ORDER_QUERY, location="query")
@blueprint.response(200, OrderPageSchema, headers=ETAG)
@blueprint.alt_response(304, description=NOT_MODIFIED)
@blueprint.refuses("INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", *_UPSTREAM)
def list_orders(query: dict[str, Any]) -> Response:
    """The account's orders, for operators and admins everybody's, newest first unless sorted otherwise."""
    return jsonify(pulse().list_orders(reader(), query))


@blueprint.route("/<order_id>", methods=["GET"])
@blueprint.response(200, OrderSchema, headers=ETAG)
@blueprint.alt_response(304, description=NOT_MODIFIED)
@blueprint.refuses("UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", *_UPSTREAM)
def show_order(order_id: str) -> Response:
    """One order: what was asked, what is done, and what is still exposed."""
    return jsonify(pulse().order(reader(), order_id))


@blueprint.route("/<order_id>/slices", methods=["GET"])
@blueprint.response(200, SliceListSchema, headers=ETAG)
@blueprint.alt_response(304, description=NOT_MODIFIED)
@blueprint.refuses("UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", *_UPSTREAM)
def list_slices(order_id: str) -> Response:
    """The slices of an order in the order of their times."""
    return jsonify(pulse().slices(reader(), order_id))


@blueprint.route("/<order_id>", methods=["DELETE"])
@blueprint.response(202, OrderSchema)
@blueprint.refuses("UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "INVALID_STATE", *_UPSTREAM)
def cancel_order(order_id: str) -> tuple[Response, int]:
    """Cancel what is not filled: unsent slices at once, working ones at the broker; repeating it is harmless."""
    return jsonify(pulse().cancel_order(trader(), order_id)), 202
