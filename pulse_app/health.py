"""Is the process alive, can it serve, and how is it doing."""

from typing import Any

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pulse_app.api import Blueprint
from pulse_app.schemas import HealthSchema, ReadySchema
from pulse_core import db, queue
from pulse_core.domain.errors import DatabaseUnavailable

blueprint = Blueprint("health", __name__, description="For load balancers and monitoring")


@blueprint.route("/health", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def health() -> dict[str, str]:
    """Says that the process lives, without looking at anything else."""
    return {"status": "ok"}


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


@blueprint.route("/metrics", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
def metrics() -> Response:
    """Counters and timings in the Prometheus text format."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
