"""One chaos run from start to judgement."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pulse_core.brokers.zerodha.rows import INDIA
from pulse_ops.stack.ports import free_port
from tests.rigs.chaos import measure, whole_book
from tests.rigs.chaos.arrangement import Arrangement, arranged
from tests.rigs.chaos.exchanges import ALPACA, BROKERS, EXCHANGES, KITE, US_PORT, Exchange
from tests.rigs.chaos.injector import Injector
from tests.rigs.chaos.load import Load, Login, intents
from tests.rigs.chaos.measure import Tables
from tests.rigs.chaos.operators import OPERATOR, Operators, add_operator
from tests.rigs.chaos.plan import DAY_END, PROCESS_FAULTS, day_end, kinds, make_plan
from tests.rigs.chaos.rigged_stack import POOLER
from tests.rigs.chaos.stops import Stops, halts, pauses
from tests.support.stacks import PULSE, Stack, environment_for

# Short, so that everything a fault can lead to happens within the run. PULSE_BROKER_TIMEOUT < PULSE_LEASE as in real
# settings; the exchange may take longer than PULSE_SETTLE_DELAY to accept an order or to show it, so that what was
# taken for absent does turn up.
SETTINGS = {
    "PULSE_SLICE_TIMEOUT": "8",
    "PULSE_LEASE": "6",
    "PULSE_BROKER_TIMEOUT": "2",
    "PULSE_SETTLE_DELAY": "6",
    "PULSE_OVERDUE_AFTER": "3",
    "PULSE_RETRY_BACKOFF_MAX": "5",
    # Slices go out in turns, as by default, but fast enough to catch up with what a fault held up before the next one
    # comes. What is repeated under fire would be too much for a minute or a day.
    "PULSE_BROKER_ORDERS_PER_SECOND": "30",
    "PULSE_BROKER_ORDERS_PER_MINUTE": "0",
    "PULSE_BROKER_ORDERS_PER_DAY": "0",
    "PULSE_PAPER_LIMITS": "false",
    "PULSE_RESTART_PAUSE": "1",
    "ACCESS_TOKEN_LIFETIME": "3600",
    # Faults leave no room where there was some: each right order is accepted all the same.
    "PULSE_CHECK_WINDOWS": "false",
    "PULSE_REQUESTS_AT_ONCE": "48",
    "PULSE_REQUESTS_BESIDE_OTHERS": "12",
    "PULSE_RATE_LIMIT_ACCOUNT": "off",
    "PULSE_RATE_LIMIT_ORDERS": "off",
}
_STARTED_WITHIN = 30.0
_GIVE_UP_AFTER = 240.0
_ACCEPTED_WITHIN = 60.0
_RECONCILED_WITHIN = 60.0
_JUDGE_EVERY = 20.0
_GRACE_UNDER_FIRE = "300"


@dataclass
class Run:
    """`say` tells a person what happens, line by line. Lengths are seconds; `room` is that of `make_plan`.

    `broker` says at which of the two exchanges is traded: `kite`, `alpaca` or `both`; `is_pooled`, that the services
    reach Postgres through a pooler that shares its sessions.
    """

    seed: int
    seconds: float
    faults: str
    keep_in: Path
    say: Callable[[str], None]
    final_within: float = 60.0
    room: float = 1.0
    broker: str = "both"
    is_pooled: bool = False
    verdicts: int = 0
    violations: list[dict[str, Any]] = field(default_factory=list)
    _day_ends_at: datetime | None = None

    def carry_out(self) -> dict[str, Any]:
        """The summary; its `violations` are empty when every promise was kept. Removes what it has written then."""
        folder = Path(tempfile.mkdtemp(prefix="pulse-chaos-"))
        try:
            return self._carry_out(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _carry_out(self, folder: Path) -> dict[str, Any]:
        data_dir = folder / "stack"
        environment = environment_for(data_dir) | SETTINGS
        environment["PULSE_PAPER_POSTBACK_URL"] = (
            f"http://127.0.0.1:{environment['PULSE_GAPI_PORT']}/api/postbacks/zerodha"
        )
        chosen = kinds(self.faults)
        fire_at = time.time()
        if DAY_END in chosen:
            # Set before anything starts, so the fire waits for the instant from which the plan counts.
            fire_at += _STARTED_WITHIN
            self._day_ends_at = datetime.fromtimestamp(fire_at + day_end(self.seed, self.seconds), INDIA)
            environment["PULSE_PAPER_DAY_STARTS"] = f"{self._day_ends_at:%H:%M:%S}"
        if self.is_pooled:
            environment[POOLER] = "yes"
        if ALPACA in self._exchanges:
            port = str(free_port())
            environment |= {US_PORT: port, ALPACA.url_variable: f"http://127.0.0.1:{port}"}
            environment["PULSE_EXCHANGES"] = EXCHANGES
        with arranged(data_dir, environment, chosen, self._exchanges, self.say) as arrangement:
            time.sleep(max(fire_at - time.time(), 0))
            summary = self._under_fire(arrangement, environment)
            if summary["violations"]:
                Tables(arrangement.stack.state.environment["DATABASE_URL"]).dump(folder)
        if summary["violations"]:
            summary["kept_in"] = str(self._keep(folder, summary))
        return summary

    @property
    def _exchanges(self) -> Sequence[Exchange]:
        return BROKERS[self.broker]

    def _ledgers(self, stack: Stack) -> list[Path]:
        return [exchange.ledger(stack.data_dir) for exchange in self._exchanges]

    def _under_fire(self, arrangement: Arrangement, environment: dict[str, str]) -> dict[str, Any]:
        stack = arrangement.stack
        state = stack.state
        tables = Tables(state.environment["DATABASE_URL"])
        load = Load(state.urls["gapi"], state.demo_user or "", state.demo_password or "", self.say)
        login = Login(state.urls["gapi"], OPERATOR, add_operator(stack.data_dir))
        operators = Operators(login, tables, self._ledgers(stack), self._day_ends_at, self.seed)
        stops = Stops(login, tables)
        injector = Injector(arrangement, environment, self.say)
        wanted = intents(self.seed, self.seconds, self._exchanges)
        started = time.monotonic()
        load.start(wanted)
        operators.start()
        stops.start(halts(self.seed, self.seconds, self._exchanges), pauses(self.seed, self.seconds))
        with self._judged_meanwhile(stack):
            injector.carry_out(make_plan(self.seed, self.seconds, arrangement.kinds, self.room))
        injector.calm()
        faults_ended = time.monotonic()
        self.say(f"faults ended after {faults_ended - started:.0f} s")
        stops.end()
        load.wait(_ACCEPTED_WITHIN)
        operators.leave_failures()
        final_after = self._wait_until_final(tables, faults_ended)
        operators.end()
        self._wait_until_reconciled(tables, stack)
        load.end()
        verdict = self._judge(stack)
        self._check_clients(tables, load, len(wanted))
        if KITE in self._exchanges:
            self.violations += whole_book.broken(tables, KITE.ledger(stack.data_dir))
        for refusal in (*load.refusals, *operators.refusals, *stops.refusals):
            self._violation("accepted", "every right request taken in the end", refusal)
        return self._summary(injector, load, operators.asked + stops.asked, tables, stack, verdict, final_after)

    def _wait_until_final(self, tables: Tables, faults_ended: float) -> float | None:
        """Seconds from the last fault until every order had ended. They may take until their windows are over."""
        due = faults_ended + max(exchange.certain_after for exchange in self._exchanges)
        while (now := time.monotonic()) < due + _GIVE_UP_AFTER:
            due = max(due, now + (tables.seconds_of_windows_left() or 0))
            if tables.open_orders() == []:
                self.say(f"all orders final {now - faults_ended:.0f} s after the last fault")
                if now - due > self.final_within:
                    what = f"all orders final {self.final_within} s after the last fault and window"
                    self._violation("final-in-time", what, f"{now - due:.1f} s")
                return round(now - faults_ended, 1)
            time.sleep(0.5)
        self._violation("final-in-time", "all orders final", f"open: {tables.open_orders()}")
        return None

    def _wait_until_reconciled(self, tables: Tables, stack: Stack) -> None:
        """Late fills are booked by a sweep that runs twice a minute."""
        ends_at = time.monotonic() + _RECONCILED_WITHIN
        while time.monotonic() < ends_at:
            booked = tables.column("SELECT coalesce(sum(quantity), 0) FROM fills")[0]
            if booked == measure.shares_in_ledgers(self._ledgers(stack)):
                return
            time.sleep(1)

    @contextmanager
    def _judged_meanwhile(self, stack: Stack) -> Iterator[None]:
        """Under fire too the promises of every moment are kept; what is under way gets its time."""
        ended = threading.Event()

        def judge() -> None:
            while not ended.wait(_JUDGE_EVERY):
                for exchange in self._exchanges:
                    verdict = _verdict_of(_asked(stack, exchange, "--grace", _GRACE_UNDER_FIRE))
                    self.verdicts += verdict is not None
                    self.violations += [{**one, "seen": "under fire"} for one in (verdict or {}).get("violations", [])]

        thread = threading.Thread(target=judge)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _judge(self, stack: Stack) -> dict[str, Any]:
        """Each broker account by its exchange; the counts are those of all."""
        total: Counter[str] = Counter()
        promises: Counter[str] = Counter()
        for exchange in self._exchanges:
            judged = _asked(stack, exchange, "--final")
            verdict = _verdict_of(judged)
            if verdict is None:
                self._violation("verify", f"an answer about {exchange.account}", judged.stderr[-1000:])
                continue
            self.verdicts += 1
            self.violations += verdict["violations"]
            total.update({name: verdict[name] for name in ("orders", "slices", "fills", "broker_orders")})
            promises.update(verdict["violations_by_promise"])
        return {**total, "violations_by_promise": dict(promises)}

    def _check_clients(self, tables: Tables, load: Load, expected: int) -> None:
        """What the gateway told its clients is so: one order for each key, and none forgotten."""
        stored = set(tables.column("SELECT id FROM orders"))
        for key, order_ids in load.order_ids.items():
            if len(order_ids) != 1:
                self._violation("one-order-for-each-key", f"one order for {key}", ", ".join(order_ids))
            if lost := order_ids - stored:
                self._violation("accepted-is-stored", "every accepted order in the database", ", ".join(lost))
        if len(stored) > expected:
            self._violation("one-order-for-each-key", f"{expected} orders", f"{len(stored)} orders")
        if len(load.order_ids) < expected:
            self._violation("accepted", f"{expected} orders accepted in the end", f"{len(load.order_ids)}")

    def _summary(
        self,
        injector: Injector,
        load: Load,
        asked: Counter[str],
        tables: Tables,
        stack: Stack,
        verdict: dict[str, Any],
        final_after: float | None,
    ) -> dict[str, Any]:
        kinds_struck = Counter(fault.kind for fault in injector.struck)
        struck_orders = measure.exchange_faults(self._ledgers(stack))
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "room": self.room,
            "broker": self.broker,
            "process_faults": sum(count for kind, count in kinds_struck.items() if kind in PROCESS_FAULTS),
            "exchange_faults": sum(struck_orders.values()),
            "faults_by_kind": dict(sorted(kinds_struck.items())) | struck_orders,
            "faults_missed": dict(Counter(injector.missed)),
            "left_out": sorted(set(kinds(self.faults)) - set(injector.arrangement.kinds)),
            "orders": verdict.get("orders"),
            "slices": verdict.get("slices"),
            "slices_by_status": _counts(tables, "SELECT status FROM order_slices"),
            "fills": verdict.get("fills"),
            "broker_orders": verdict.get("broker_orders"),
            "orders_by_account": _counts(tables, "SELECT broker FROM orders"),
            "orders_by_result": _counts(tables, "SELECT coalesce(result, status) FROM orders"),
            "alarms": _counts(tables, "SELECT detail->>'alarm' FROM slice_events WHERE kind = 'ALARM'"),
            "requests_repeated": load.repeats,
            "cancels": load.cancels,
            "pauses": load.pauses,
            "operators": dict(asked),
            "restarts": {one.name: one.restarts for one in stack.state.processes},
            "final_seconds_after_last_fault": final_after,
            "recovery_seconds": measure.recovery_times(tables, injector.struck, load.answered_at),
            "lateness_seconds": measure.lateness(tables),
            "verdicts": self.verdicts,
            "violations_by_promise": dict.fromkeys(verdict.get("violations_by_promise", {}), 0)
            | Counter(one["promise"] for one in self.violations),
            "violations": self.violations,
        }

    def _violation(self, promise: str, expected: str, found: str) -> None:
        self.violations.append({"promise": promise, "expected": expected, "found": found})

    def _keep(self, folder: Path, summary: dict[str, Any]) -> Path:
        kept = self.keep_in / f"chaos-seed-{self.seed}-{time.strftime('%H%M%S')}"
        kept.mkdir(parents=True)
        shutil.move(folder / "stack" / "logs", kept / "logs")
        for path in (*folder.glob("*.csv"), folder / "stack/terminal.log"):
            shutil.move(path, kept / path.name)
        for exchange in self._exchanges:
            shutil.move(exchange.ledger(folder / "stack").parent, kept / exchange.program)
        (kept / "summary.json").write_text(json.dumps(summary, indent=2))
        return kept


def _verdict_of(judged: "subprocess.CompletedProcess[str]") -> dict[str, Any] | None:
    """What `pulse verify` says; None when it could not read one of the sides."""
    return json.loads(judged.stdout) if judged.stdout else None


def _asked(stack: Stack, exchange: Exchange, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [PULSE, "verify", "--json", "--data-dir", str(stack.data_dir), "--broker-account", exchange.account]
    if exchange is not KITE:
        command += ["--ledger", str(exchange.ledger(stack.data_dir))]
    command += options
    environment = {**os.environ, **{name: SETTINGS[name] for name in ("PULSE_BROKER_TIMEOUT", "PULSE_SETTLE_DELAY")}}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def _counts(tables: Tables, query: str) -> dict[str, int]:
    return dict(Counter(tables.column(query)).most_common())
