"""Is the process alive, can it serve, and how is it doing."""

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gapi_app.api import Blueprint
from gapi_app.auth import access
from gapi_app.pulse_client import pulse
from gapi_app.schemas import HealthSchema, ReadySchema
from gapi_app.specification import UPSTREAM

blueprint = Blueprint("health", __name__, description="For load balancers and monitoring", is_limited=False)


@blueprint.route("/health", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, HealthSchema)
def health() -> dict[str, str]:
    """Says that the process lives, without looking at anything else."""
    return {"status": "ok"}


@blueprint.route("/ready", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, ReadySchema)
@blueprint.refuses(*UPSTREAM)
def ready() -> dict[str, str]:
    """Says whether orders can be taken; the error's details name what is missing."""
    pulse().check_ready()
    access().revocations.check_loaded()
    return {"status": "ready"}


@blueprint.route("/metrics", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, {"type": "string"}, content_type="text/plain")
def metrics() -> Response:
    """Counters and timings in the Prometheus text format."""
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)
