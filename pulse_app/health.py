"""Is the process alive, can it serve, and how is it doing."""

from typing import Any

from api_contract.health import add_health, add_metrics
from api_contract.metrics import Process
from api_contract.shapes.internal import ReadySchema
from pulse_app.blueprint import Blueprint
from pulse_core import db, queue
from pulse_core.errors import DatabaseUnavailable
from pulse_core.metrics import process, totals

blueprint = Blueprint("health", __name__, description="For load balancers and monitoring")
add_health(blueprint)


@blueprint.route("/ready", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, ReadySchema)
@blueprint.refuses("SERVICE_UNAVAILABLE")
def ready() -> dict[str, Any]:
    """Says whether orders can be taken; without the queue they can, and are worked a little later."""
    try:
        db.ping()
        db.check_session()
    except DatabaseUnavailable as away:
        raise DatabaseUnavailable(away.message, {"missing": ["postgres"]}) from None
    return {"status": "ready", "degraded": [] if queue.is_reachable() else ["redis"]}


add_metrics(blueprint, Process.PULSE, process.refresh, totals.look_up)
