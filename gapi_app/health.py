"""Is the process alive, can it serve, and how is it doing."""

from api_contract.health import add_health, add_metrics
from api_contract.metrics import Process
from api_contract.shapes.health import ReadySchema
from gapi_app.access.auth import access
from gapi_app.blueprint import Blueprint
from gapi_app.refusals import UPSTREAM
from gapi_app.upstream import pulse

blueprint = Blueprint("health", __name__, description="For load balancers and monitoring", is_limited=False)
add_health(blueprint)


@blueprint.route("/ready", methods=["GET"])
@blueprint.doc(security=[])
@blueprint.response(200, ReadySchema)
@blueprint.refuses(*UPSTREAM)
def ready() -> dict[str, str]:
    """Says whether orders can be taken; the error's details name what is missing."""
    pulse().check_ready()
    access().revocations.check_loaded()
    return {"status": "ready"}


add_metrics(blueprint, Process.GAPI)
