"""Is the process alive, can it serve, and how is it doing."""

from typing import Any

from api_contract import watch_port
from api_contract.health import add_health
from api_contract.kept import Kept
from api_contract.metrics import Process
from api_contract.scopes import Standing
from api_contract.shapes.internal import ReadySchema
from api_contract.watch_port import Watched
from pulse_app.auth import require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core import db, queue
from pulse_core.broker_accounts.login import login_reports
from pulse_core.broker_accounts.store import states
from pulse_core.config import Settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.metrics import process, totals
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import halts

blueprint = Blueprint("health", __name__, description="For load balancers")
add_health(blueprint)
readiness = Blueprint("readiness", __name__, url_prefix="/internal", description="For gateways")
readiness.before_request(require_service_token)


@readiness.route("/ready", methods=["GET"])
@readiness.needs(Standing.GATEWAY)
@readiness.response(200, ReadySchema)
def show_readiness() -> dict[str, Any]:
    """Says whether orders can be taken, as of a second ago; without the queue they are worked a little later."""
    return _ready.get()


def serve_watch_port(config: Settings) -> None:
    """Serve `/ready` and `/metrics` where the settings say."""
    watched = Watched(Process.PULSE, lambda: ReadySchema().dump(_ready.get()), (process.refresh, totals.look_up))
    watch_port.serve(watched, config.metrics_host, config.metrics_port)


def check_ready() -> dict[str, Any]:
    """Who is logged in at the brokers, beside it. Raises DatabaseUnavailable when no order can be taken."""
    try:
        db.ping()
        db.check_session()
    except DatabaseUnavailable as away:
        raise DatabaseUnavailable(away.message, {"missing": ["postgres"]}) from None
    missing = [] if queue.is_reachable() else ["redis"]
    return {"status": "ready", "degraded": [*missing, *_held_accounts(), *_halts()], "broker_accounts": login_reports()}


def _held_accounts() -> list[str]:
    """Orders of theirs are taken, and wait."""
    with db.transaction() as session:
        return [f"{one.name}: {one.state}" for one in states.held(session) if one.has_worked]


def _halts() -> list[str]:
    """What of it is taken waits, and new orders are refused."""
    with db.transaction() as session:
        return [f"{one.id}: {AlarmCode.HALTED}" for one in halts.in_force(session)]


_ready = Kept(check_ready)
