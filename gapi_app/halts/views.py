"""Halts: nothing new is sent of what they cover."""

from typing import Any

from flask import Response, jsonify

from api_contract.scopes import Scope, Standing
from api_contract.shapes.halts import (
    HALT_QUERY,
    HALTED_SLICE_QUERY,
    NEW_HALT,
    HaltedSlicePageSchema,
    HaltPageSchema,
    HaltSchema,
)
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.halts.client import halts

blueprint = Blueprint("halts", __name__, url_prefix="/api", description="Stopping what is traded")
blueprint.before_request(require_token)


@blueprint.route("/halt", methods=["POST"])
@blueprint.needs(Standing.HALTING)
@blueprint.takes_key()
@blueprint.arguments(NEW_HALT)
@blueprint.response(201, HaltSchema)
@blueprint.alt_response(200, schema=HaltSchema, description="In force already")
@blueprint.refuses("NOT_FOUND")
def halt_trading(new: dict[str, Any]) -> tuple[Response, int]:
    """Send nothing new of what is named, and call back what works; repeating it is harmless."""
    answer = halts().halt(caller(), new)
    return jsonify(answer.body), answer.status


@blueprint.route("/halt/<halt_id>/release", methods=["POST"])
@blueprint.needs(Standing.HALTING)
@blueprint.takes_key()
@blueprint.response(200, HaltSchema)
@blueprint.refuses("NOT_FOUND")
def release_halt(halt_id: str) -> Response:
    """Let what was halted go on, in the rest of its window and without a rush; repeating it is harmless."""
    return jsonify(halts().release_halt(caller(), halt_id))


@blueprint.route("/halts", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(HALT_QUERY, location="query")
@blueprint.response(200, HaltPageSchema)
def list_halts(query: dict[str, Any]) -> Response:
    """Halts of the account's orders, for operators and admins all, the latest first."""
    return jsonify(halts().halts(caller(), query))


@blueprint.route("/halts/<halt_id>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.response(200, HaltSchema)
@blueprint.refuses("NOT_FOUND")
def show_halt(halt_id: str) -> Response:
    """One halt with its receipt: what was cancelled, filled meanwhile, works still, is unknown and unsent."""
    return jsonify(halts().halt_receipt(caller(), halt_id))


@blueprint.route("/halts/<halt_id>/slices", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(HALTED_SLICE_QUERY, location="query")
@blueprint.response(200, HaltedSlicePageSchema)
@blueprint.refuses("NOT_FOUND")
def list_halted_slices(query: dict[str, Any], halt_id: str) -> Response:
    """The slices of a receipt, those of one state if that is named."""
    return jsonify(halts().halted_slices(caller(), halt_id, query))
