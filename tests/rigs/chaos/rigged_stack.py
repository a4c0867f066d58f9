"""`pulse up` as the rig needs it: within reach of a second host, and each process with a clock that can be moved.

COMMAND is run with RIG_ADDRESS (of this machine, as the host sees it) and RIG_CLOCKS (a folder) where there are such,
and with RIG_POOLER where the services are to reach Postgres through a PgBouncer in transaction mode.
Only what the product has no setting for, and should have none, is replaced here.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import psycopg2
from sqlalchemy import make_url

from pulse_core.postgres.poolers import DIRECT
from pulse_ops.cli import main
from pulse_ops.stack import plan, postgres, probes, processes, redis, up
from pulse_ops.stack.child import Program
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.leftovers import MARK
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.postgres import EmbeddedPostgres
from pulse_ops.stack.processes import Listen
from tests.rigs.chaos.clocks import Clocks, library
from tests.rigs.chaos.exchanges import ALPACA, KITE, US_KEY, US_PORT, US_SECRET
from tests.rigs.chaos.plan import CLOCKS
from tests.support.pgbouncer import running_pgbouncer

COMMAND = (sys.executable, "-m", "tests.rigs.chaos.rigged_stack")
ADDRESS, CLOCKS_FOLDER, POOLER = "RIG_ADDRESS", "RIG_CLOCKS", "RIG_POOLER"
LOOPBACK = "127.0.0.1"
# Three times what Alpaca allows: of its minute there are three here, as everything else is quicker too.
CALLS_PER_MINUTE = 600
# What a session of ours is given by its process, and sessions that are shared need of themselves.
OF_THE_DATABASE = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "timezone": "UTC",
}
# As Postgres is ended and started all the time, it is looked for often.
OF_THE_POOLER = {
    "pool_mode": "transaction",
    "max_client_conn": "500",
    "server_login_retry": "1",
    "query_wait_timeout": "5",
}


class ReachablePostgres(EmbeddedPostgres):
    """Lets in the second host too, by the same password."""

    def _prepare(self) -> None:
        super()._prepare()
        rules = self._data / "pg_hba.conf"
        rule = f"host all all {os.environ[ADDRESS]}/30 scram-sha-256\n"
        if rule not in rules.read_text():
            rules.write_text(rules.read_text() + rule)


def listen_to(address: str) -> None:
    """Postgres, Redis and the exchange can be reached under this address too."""
    postgres._SETTINGS["listen_addresses"] += f",{address}"
    redis._CONFIG = redis._CONFIG.replace(f"bind {LOOPBACK}", f"bind {LOOPBACK} {address}")
    up.EmbeddedPostgres = ReachablePostgres


def share_sessions(address: str | None, ends: ExitStack) -> None:
    """The services reach Postgres through a PgBouncer that shares sessions, and their fences go past it."""
    let_in, port = up.let_services_in, free_port()

    class Pooled(up.EmbeddedPostgres):  # type: ignore[misc,name-defined]
        def services_url(self, database: str = "pulse") -> str:
            direct = super().services_url(database)
            os.environ[DIRECT] = direct
            return make_url(direct).set(port=port).render_as_string(hide_password=False)

    def let_services_in(owner_url: str, services_url: str) -> None:
        let_in(owner_url, services_url)
        with closing(psycopg2.connect(owner_url)) as owner:
            owner.autocommit = True
            with owner.cursor() as cursor:
                lease = f"{os.environ['PULSE_LEASE']}s"
                for name, value in {**OF_THE_DATABASE, "idle_in_transaction_session_timeout": lease}.items():
                    cursor.execute(f"ALTER DATABASE pulse SET {name} = %s", (value,))
        hosts = ",".join(filter(None, (LOOPBACK, address)))
        given = running_pgbouncer(pooler_folder(), os.environ[DIRECT], port, listen_addr=hosts, **OF_THE_POOLER)
        ends.enter_context(given)

    def pooler_folder() -> Path:
        folder = Path(os.environ["PULSE_DATA_DIR"]) / "pooler"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        return folder

    up.EmbeddedPostgres, up.let_services_in = Pooled, let_services_in


def change_programs(address: str | None, clocks: Clocks | None) -> None:
    """Every program as planned, but for its address and its clock; and maybe one more exchange."""
    planned = plan.programs

    def programs(settings: StackSettings, shared: Mapping[str, str]) -> list[Program]:
        found = [*_second_exchange(settings), *planned(settings, shared)]
        found = [reachable(one) if address else one for one in found]
        return [with_clock(one, clocks) if one.name in CLOCKS else one for one in found]

    plan.programs = programs


def _second_exchange(settings: StackSettings) -> list[Program]:
    """The one that speaks Alpaca's protocol, with its limit of calls, where the rig has named a port."""
    port = os.environ.get(US_PORT)
    if port is None:
        return []
    ledger = ALPACA.ledger(settings.data_dir)
    ledger.parent.mkdir(mode=0o700, exist_ok=True)
    given = ("--wire", "alpaca", "--api-key", US_KEY, "--api-secret", US_SECRET)
    options = (*given, "--limits", "--calls-per-minute", str(CALLS_PER_MINUTE))
    command = (*processes.exchange(Listen(LOOPBACK, int(port)), str(ledger)), *options)
    is_ready = probes.http_ok(f"http://{LOOPBACK}:{port}/_paper/health")
    environment = {**os.environ, "PULSE_LOG_FORMAT": "json", MARK: str(settings.data_dir.resolve())}
    # It posts nothing.
    environment.pop("PULSE_PAPER_POSTBACK_URL", None)
    return [Program(ALPACA.program, processes.executable(command), is_ready, environment, folder=settings.data_dir)]


def reachable(program: Program) -> Program:
    if program.name not in (KITE.program, ALPACA.program):
        return program
    return replace(program, command=tuple("0.0.0.0" if part == LOOPBACK else part for part in program.command))


def with_clock(program: Program, clocks: Clocks | None) -> Program:
    """The program with a clock of its own, where there are such."""
    if clocks is None:
        return program
    return replace(program, environment={**program.environment, **clocks.variables(program.name)})


def given_clocks() -> Clocks | None:
    """The clocks of the folder that the rig named; it has looked for the library before."""
    folder, found = os.environ.get(CLOCKS_FOLDER), library()
    return Clocks(Path(folder), found) if folder and found else None


if __name__ == "__main__":
    given = os.environ.get(ADDRESS)
    if given:
        listen_to(given)
    change_programs(given, given_clocks())
    with ExitStack() as ends:
        if POOLER in os.environ:
            share_sessions(given, ends)
        main(["up"])
