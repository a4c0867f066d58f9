"""Halts: nothing new is sent of what they cover."""

from typing import Any

from api_contract.scopes import Scope, Standing
from api_contract.shapes.halts import (
    HALT_QUERY,
    HALTED_SLICE_QUERY,
    NEW_HALT,
    HaltedSlicePageSchema,
    HaltPageSchema,
    HaltSchema,
)
from api_contract.vocabulary import HaltedState
from pulse_app.auth import account_id, owner_to_read, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.trading.halts import halting, receipt
from pulse_core.trading.halts.receipt import HaltedSlicePage, HaltPage, HaltReport
from pulse_core.trading.store.halts import HaltScope

blueprint = Blueprint("halts", __name__, url_prefix="/internal", description="Stopping what is traded")
blueprint.before_request(require_service_token)


@blueprint.route("/halt", methods=["POST"])
@blueprint.needs(Standing.HALTING)
@blueprint.takes_key()
@blueprint.arguments(NEW_HALT)
@blueprint.response(201, HaltSchema)
@blueprint.alt_response(200, schema=HaltSchema, description="In force already")
@blueprint.refuses("NOT_FOUND")
def halt_trading(new: dict[str, Any]) -> tuple[HaltReport, int]:
    """Send nothing new of what is named, and call back what works; repeating it is harmless."""
    working, reason = new.pop("working"), new.pop("reason")
    found, is_new = halting.halt(owner_to_read(), HaltScope(**new), working, reason, account_id(), utcnow())
    return found, 201 if is_new else 200


@blueprint.route("/halt/<halt_id>/release", methods=["POST"])
@blueprint.needs(Standing.HALTING)
@blueprint.takes_key()
@blueprint.response(200, HaltSchema)
@blueprint.refuses("NOT_FOUND")
def release_halt(halt_id: str) -> HaltReport:
    """Let what was halted go on, in the rest of its window and without a rush; repeating it is harmless."""
    return halting.release(owner_to_read(), halt_id, account_id(), utcnow())


@blueprint.route("/halts", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(HALT_QUERY, location="query")
@blueprint.response(200, HaltPageSchema)
def list_halts(query: dict[str, Any]) -> HaltPage:
    """Halts of the account's orders, for operators and admins all, the latest first."""
    in_force = query.get("in_force")
    is_released = None if in_force is None else not in_force
    return receipt.halt_page(owner_to_read(), is_released=is_released, limit=query["limit"], cursor=query.get("cursor"))


@blueprint.route("/halts/<halt_id>", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.response(200, HaltSchema)
@blueprint.refuses("NOT_FOUND")
def show_halt(halt_id: str) -> HaltReport:
    """One halt with its receipt: what was cancelled, filled meanwhile, works still, is unknown and unsent."""
    return receipt.halt_report(owner_to_read(), halt_id)


@blueprint.route("/halts/<halt_id>/slices", methods=["GET"])
@blueprint.needs(Scope.ORDERS_READ)
@blueprint.arguments(HALTED_SLICE_QUERY, location="query")
@blueprint.response(200, HaltedSlicePageSchema)
@blueprint.refuses("NOT_FOUND")
def list_halted_slices(query: dict[str, Any], halt_id: str) -> HaltedSlicePage:
    """The slices of a receipt, those of one state if that is named."""
    state: HaltedState | None = query.get("state")
    return receipt.halted_slices(owner_to_read(), halt_id, state, query["limit"], query.get("cursor"))
