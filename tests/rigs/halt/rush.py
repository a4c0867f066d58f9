"""A halt in the middle of a rush, judged by the exchange's ledger; everything may be killed while it is carried out."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import requests

from api_contract.errors import PulseError
from api_contract.vocabulary import HaltedState, HaltStatus
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount
from pulse_core.trading.halts.halting import release
from pulse_core.trading.halts.receipt import HaltReport, halt_page, halt_report
from pulse_ops import verify
from pulse_ops.paper_exchange.ledger import Ledger, LedgerOrder
from pulse_ops.stack.processes import executable
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from tests.support.factories import a_split_order, without_pace
from tests.support.floor import Floor
from tests.support.processes import wait_until
from tests.support.servers import RunningPostgres

ALL = EveryAccount()
NOTHING_NEW_AFTER = timedelta(seconds=1)
# Of an order, of which a fifth is filled at once; half of them are due from the start, more than are to work.
SPLITS, SLICE_QUANTITY, FILLED, MORE = 100, 10, 0.2, 3
# Each time when so much of what works is called back, everything is killed.
KILLED_AT = (1 / 3, 2 / 3)
# Of a long ledger a look takes a while.
LOOK_EVERY, LOOKED_AT_IN_A_SECOND = 0.1, 2000
AT_THE_BROKER = (HaltedState.WORKING, HaltedState.UNKNOWN, HaltedState.CANCELLED, HaltedState.FILLED)
# What works may do so for an hour here, and the rush keeps no pace.
NOT_HERE = ("nothing-forgotten", "no-bursts")
# A start of all processes, on a busy machine too.
_PATIENCE = 120.0
# A call back is repeated after so long if whoever asked for it has died before it was made, or before it was seen.
_AFTER_A_KILL = 30.0


@dataclass
class Figures:
    """What was seen. Seconds; `last_arrival` is after the halt, and negative where nothing new came at all."""

    slices: int
    working: int = 0
    unsent: int = 0
    last_arrival: float = 0.0
    quiet: float = 0.0
    at_the_rate: float = 0.0
    kills: int = 0
    looks: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Rush:
    """`slices` work at the exchange when everything is halted, which takes `rate` calls a second.

    What breaks a promise stands in the figures.
    """

    floor: Floor
    slices: int
    rate: int
    say: Callable[[str], None]
    kills: Sequence[float] = ()
    postgres: RunningPostgres | None = None
    figures: Figures = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(self.slices)

    def carry_out(self) -> Figures:
        """Fill the exchange, halt, follow the halt until it is quiet, and release it."""
        self._begin()
        self._start()
        self._wait_for(lambda: len(self._live()) >= self.slices, self.slices / self.rate, "working slices")
        made = self._halt()
        self.say(f"halted with {self.figures.working} slices at the exchange")
        ended = self._follow(made)
        self._judge_end(ended)
        self.say(f"quiet: {self.figures}")
        self._release(made)
        self.figures.wrong += self._broken_promises()
        return self.figures

    def _begin(self) -> None:
        url = self.floor.processes.environment["PULSE_PAPER_EXCHANGE_URL"]
        scenario = {"rules": [{"fault": "partial_fill", "fraction": FILLED}]}
        requests.put(f"{url}/_paper/scenario", json=scenario, timeout=5).raise_for_status()
        # So long that none of it is over before the halt is released, on a busy machine too.
        minutes = max(30, round(10 * self.slices / self.rate / 60))
        for _ in range(-(-self.slices * MORE // SPLITS)):
            order_id = a_split_order(
                utcnow() - timedelta(minutes=minutes / 2),
                total_quantity=SPLITS * SLICE_QUANTITY,
                num_splits=SPLITS,
                duration_minutes=minutes,
                slice_timeout_seconds=3600,
            )
            without_pace(order_id)

    def _start(self) -> None:
        self.floor.processes.worker_control()
        self.floor.processes.worker_slices()
        self.floor.processes.beat()

    def _halt(self) -> HaltReport:
        """Whoever makes it dies right after, where there are kills."""
        environment = dict(self.floor.processes.environment)
        if self.kills:
            points = self.floor.processes.folder / "failpoints"
            points.mkdir()
            (points / "halt.after_commit").write_text("kill")
            environment["PULSE_FAILPOINT"] = str(points)
        command = executable(("pulse", "halt", "--all", "--reason", "prices make no sense"))
        subprocess.run(command, env=environment, timeout=_PATIENCE, check=not self.kills, capture_output=True)
        [made] = halt_page(ALL, is_released=False, limit=10, cursor=None).halts
        self.figures.working = len(self._live())
        return made

    def _follow(self, made: HaltReport) -> HaltReport:
        """Look at the receipt until it is quiet; everything is killed meanwhile."""
        seen, kills = 0, [self.figures.working * (1 - part) for part in self.kills]
        ends_at = time.monotonic() + self._time_for(self.figures.working / self.rate)
        while time.monotonic() < ends_at:
            time.sleep(max(LOOK_EVERY, self.slices / LOOKED_AT_IN_A_SECOND))
            before = len(self._live())
            try:
                report = halt_report(ALL, made.halt_id)
            except PulseError:
                continue
            self._judge_receipt(report, before, seen)
            seen = max(seen, at_the_broker(report))
            if report.is_quiet:
                return report
            if kills and before <= kills[0]:
                self._kill_everything()
                kills.pop(0)
        raise AssertionError(f"not quiet, {len(self._live())} slices of {seen} are left; {self.figures.wrong}")

    def _judge_receipt(self, report: HaltReport, before: int, seen: int) -> None:
        """It has all of it that the exchange had not ended, forgets nothing, and tells of no end that has not been."""
        self.figures.looks += 1
        found, ended = at_the_broker(report), len(self._orders()) - len(self._live())
        self._check(found >= max(seen, before), f"{found} slices in the receipt, of {max(seen, before)}")
        over = report.slices[HaltedState.CANCELLED].count + report.slices[HaltedState.FILLED].count
        self._check(over <= ended, f"{over} slices over in the receipt, {ended} at the exchange")
        self._check(not report.is_quiet or not self._live(), "quiet while something works")

    def _judge_end(self, report: HaltReport) -> None:
        orders, cancelled = self._orders(), report.slices[HaltedState.CANCELLED]
        last = max(self.floor.arrivals(), key=lambda one: one.arrived_at).arrived_at
        self.figures.last_arrival = (last - report.made_at).total_seconds()
        self.figures.quiet = (report.quiet_after_ms or 0) / 1000
        self.figures.at_the_rate = self.figures.working / self.rate
        self.figures.unsent = report.slices[HaltedState.UNSENT].count
        self._check(last <= report.made_at + NOTHING_NEW_AFTER, f"a slice arrived at {last}, halt at {report.made_at}")
        self._check(self.figures.unsent > 0, "the rush was over before the halt")
        left = sum(one.quantity - one.filled_quantity for one in orders)
        self._check(cancelled.count == len(orders), f"{cancelled.count} cancelled in the receipt of {len(orders)}")
        self._check(cancelled.leaves_quantity == left, f"{cancelled.leaves_quantity} units left in it of {left}")

    def _release(self, made: HaltReport) -> None:
        arrived = len(self.floor.arrivals())
        self._wait_for(
            lambda: release(ALL, made.halt_id, "ann", utcnow()).status is HaltStatus.RELEASED, 0, "a release"
        )
        self._wait_for(lambda: len(self.floor.arrivals()) > arrived, 0, "a slice after the release")
        first = self.floor.arrivals()[arrived].arrived_at
        released_at = halt_report(ALL, made.halt_id).released_at
        self._check(released_at is not None and first >= released_at, f"a slice arrived at {first}")

    def _kill_everything(self) -> None:
        """All but the exchange, at once and without a word; then it starts again."""
        self.say(f"killing everything with {len(self._live())} slices left")
        processes, exchange = self.floor.processes, self.floor.processes.children[0]
        servers = [self.floor.redis.child] + ([self.postgres.child] if self.postgres else [])
        killed = [one for one in processes.children if one is not exchange]
        for one in [*killed, *servers]:
            one.kill()
        processes.children = [exchange]
        for server in (self.floor.redis, self.postgres):
            if server is not None:
                server.start()
        self._start()
        self.figures.kills += 1

    def _orders(self) -> list[LedgerOrder]:
        with Ledger(self.floor.ledger_path) as ledger:
            return list(ledger.orders())

    def _live(self) -> list[LedgerOrder]:
        return [one for one in self._orders() if one.status == "OPEN"]

    def _broken_promises(self) -> Iterator[str]:
        facts = Facts(
            database.read(self.floor.processes.environment["DATABASE_URL"], "paper"),
            broker_records.from_ledger(self.floor.ledger_path),
            is_final=False,
            grace=timedelta(seconds=30),
        )
        yield from (str(one) for one in verify.broken_promises(facts) if one.promise not in NOT_HERE)
        yield from (f"{tag} was placed {count} times" for tag, count in self.floor.placed().items() if count != 1)

    def _wait_for(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        wait_until(condition, self._time_for(seconds), what)

    def _time_for(self, seconds: float) -> float:
        """Where the rate would take so long."""
        return 3 * seconds + _PATIENCE + _AFTER_A_KILL * len(self.kills)

    def _check(self, is_right: bool, what: str) -> None:
        if not is_right:
            self.figures.wrong.append(what)


def at_the_broker(report: HaltReport) -> int:
    """How many slices were there when the halt began, or may have been."""
    return sum(report.slices[state].count for state in AT_THE_BROKER)
