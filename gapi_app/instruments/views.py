"""What can be traded, and the loads of brokers' lists."""

from typing import Any

from flask import Response, jsonify

from api_contract.scopes import Scope, Standing
from api_contract.shapes.instruments import (
    BROKER_QUERY,
    INSTRUMENT_QUERY,
    NEW_LOAD,
    InstrumentLoadListSchema,
    InstrumentLoadSchema,
    InstrumentPageSchema,
    InstrumentSchema,
)
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint("instruments", __name__, url_prefix="/api", description="What can be traded")
blueprint.before_request(require_token)


@blueprint.route("/instruments", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(INSTRUMENT_QUERY, location="query")
@blueprint.response(200, InstrumentPageSchema)
@blueprint.refuses("NOT_FOUND")
def list_instruments(query: dict[str, Any]) -> Response:
    """What the broker lists, by exchange and symbol; `query` is how the symbol begins."""
    return jsonify(pulse().instruments(caller(), query))


@blueprint.route("/instruments/<instrument>", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(BROKER_QUERY, location="query")
@blueprint.response(200, InstrumentSchema)
@blueprint.refuses("NOT_FOUND")
def show_instrument(query: dict[str, str], instrument: str) -> Response:
    """One instrument, by the name that an order gives it: its lot, its tick, and how much goes at once."""
    return jsonify(pulse().instrument(caller(), instrument, query))


@blueprint.route("/instrument-loads", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, InstrumentLoadListSchema)
def list_instrument_loads() -> Response:
    """The latest loads of brokers' lists, the newest first."""
    return jsonify(pulse().instrument_loads(caller()))


@blueprint.route("/instrument-loads", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.arguments(NEW_LOAD)
@blueprint.response(202, InstrumentLoadSchema)
@blueprint.refuses("NOT_FOUND")
def load_instruments(asked: dict[str, Any]) -> tuple[Response, int]:
    """Have a worker load the broker's list now; one that is under way is it."""
    return jsonify(pulse().load_instruments(caller(), asked)), 202
