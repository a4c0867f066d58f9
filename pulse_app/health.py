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
from pulse_core import db, fitness, queue
from pulse_core.broker_accounts.login import login_reports
from pulse_core.broker_accounts.store import states
from pulse_core.config import Settings, settings
from pulse_core.errors import DatabaseUnavailable, WrongTables
from pulse_core.health.agreement import differences
from pulse_core.health.settings_digest import shared
from pulse_core.metrics import process, totals
from pulse_core.postgres import lineage
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
        fitness.check()
    except WrongTables as wrong:
        raise DatabaseUnavailable(wrong.message, {"missing": ["tables"]}) from None
    except DatabaseUnavailable as away:
        is_standby = fitness.reason_of(away) == lineage.STANDBY
        raise DatabaseUnavailable(lineage.STANDBY if is_standby else away.message, {"missing": ["postgres"]}) from None
    missing = [] if queue.is_reachable() else ["redis"]
    degraded = [*missing, *_held_accounts(), *_halts(), *_differences()]
    return {"status": "ready", "degraded": degraded, "broker_accounts": login_reports()}


def _held_accounts() -> list[str]:
    """Orders of theirs are taken, and wait."""
    with db.transaction() as session:
        return [f"{one.name}: {one.state}" for one in states.held(session) if one.has_worked]


def _halts() -> list[str]:
    """What of it is taken waits, and new orders are refused."""
    with db.transaction() as session:
        return [f"{one.id}: {AlarmCode.HALTED}" for one in halts.in_force(session)]


def _differences() -> list[str]:
    """Orders are taken all the same: while settings are changed host by host some differ for a while."""
    with db.statement() as connection:
        return [f"settings: {clause}" for clause in differences(connection, shared(settings()))]


_ready = Kept(check_ready)
