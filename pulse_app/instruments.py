"""What can be traded, and the loads of brokers' lists, for the gateway."""

from collections.abc import Mapping
from typing import Any

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
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.instruments import queries
from pulse_core.instruments.queries import InstrumentPage, InstrumentReport, LoadReport
from pulse_core.instruments.store.instruments import Asked

blueprint = Blueprint("instruments", __name__, url_prefix="/internal", description="What can be traded")
blueprint.before_request(require_service_token)


@blueprint.route("/instruments", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(INSTRUMENT_QUERY, location="query")
@blueprint.response(200, InstrumentPageSchema)
@blueprint.refuses("NOT_FOUND")
def list_instruments(query: dict[str, Any]) -> InstrumentPage:
    """What the broker lists, by exchange and symbol."""
    asked = Asked(query.get("query", ""), query.get("exchange"))
    return queries.instrument_page(queries.broker_of(query.get("broker")), asked, query["limit"], query.get("cursor"))


@blueprint.route("/instruments/<instrument>", methods=["GET"])
@blueprint.needs(Standing.ACCOUNT)
@blueprint.arguments(BROKER_QUERY, location="query")
@blueprint.response(200, InstrumentSchema)
@blueprint.refuses("NOT_FOUND")
def show_instrument(query: dict[str, str], instrument: str) -> InstrumentReport:
    """One instrument, by the name that an order gives it."""
    return queries.instrument_report(queries.broker_of(query.get("broker")), instrument)


@blueprint.route("/instrument-loads", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, InstrumentLoadListSchema)
def list_instrument_loads() -> Mapping[str, Any]:
    """The latest loads of brokers' lists, the newest first."""
    return {"instrument_loads": queries.list_loads()}


@blueprint.route("/instrument-loads", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_key()
@blueprint.arguments(NEW_LOAD)
@blueprint.response(202, InstrumentLoadSchema)
@blueprint.refuses("NOT_FOUND")
def load_instruments(asked: dict[str, Any]) -> LoadReport:
    """Have a worker load the broker's list now; one that is under way is it."""
    broker = queries.broker_of(asked.get("broker"))
    return queries.ask_for_load(broker, account_id(), accepts_smaller=asked["accept_smaller"])
