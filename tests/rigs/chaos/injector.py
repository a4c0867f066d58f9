"""Makes one planned fault happen to a running stack. Signals go only to processes of that stack and its second set."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

import psutil
import psycopg2
import redis
import requests
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from pulse_ops.stack import processes
from pulse_ops.stack.errors import NotRunning
from pulse_ops.stack.processes import EXCHANGE
from tests.rigs.chaos.arrangement import Arrangement
from tests.rigs.chaos.cable import Weather
from tests.rigs.chaos.exchanges import Exchange
from tests.rigs.chaos.plan import CLOCK_OFF_BY, Fault
from tests.rigs.chaos.second_set import QUEUES, second
from tests.support.stacks import Stack

REPLAYED_SLICES, REPLAYED_ORDERS, IN_A_BATCH = 25, 5, 16
MOST_TERMINATED = 6
SERVER_URLS = {"postgres": "DATABASE_URL", "redis": "PULSE_QUEUE_URL"}
_TERMINATE = """SELECT count(pg_terminate_backend(pid)) FROM
    (SELECT pid FROM pg_stat_activity WHERE application_name = 'pulse' ORDER BY md5(pid || %s) LIMIT %s) AS chosen"""


@dataclass(frozen=True)
class Struck:
    """A fault that happened: `at` is when the harm was done or, for a stop, undone (seconds since the epoch)."""

    kind: str
    at: float


@dataclass
class Injector:
    """`struck` and `missed` (there was nothing to strike just then) tell what became of the plan."""

    arrangement: Arrangement
    environment: dict[str, str]
    say: Callable[[str], None]
    struck: list[Struck] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    _stopped: set[psutil.Process] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _known: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

    @property
    def stack(self) -> Stack:
        return self.arrangement.stack

    def carry_out(self, plan: Sequence[Fault]) -> None:
        """Every fault at its time; returns when the last one has ended."""
        started = time.monotonic()
        for fault in plan:
            time.sleep(max(fault.at - (time.monotonic() - started), 0))
            thread = threading.Thread(target=self._strike, args=(fault,), daemon=True)
            self._threads.append(thread)
            thread.start()
        for thread in self._threads:
            thread.join(60)

    def calm(self) -> None:
        """Wake whatever is stopped, and let the exchange behave."""
        for process in list(self._stopped):
            _signal([process], signal.SIGCONT)
        ends_at = time.monotonic() + 30
        while not self._set_rules(()) and time.monotonic() < ends_at:
            time.sleep(0.2)

    def _strike(self, fault: Fault) -> None:
        action, _, target = fault.kind.partition("-")
        actions: dict[str, Callable[[], bool]] = {
            "kill": lambda: self._kill(target, fault.draw),
            "stop": lambda: self._stop(target, fault),
            "restart": lambda: self._quit("postgres"),
            "terminate": lambda: self._terminate(fault.draw),
            "flushall": self._flush,
            "second": lambda: self._second_beat(fault.seconds),
            "replay": lambda: self._replay(fault.draw),
            "clock": lambda: self._move_clock(target, fault),
            "packets": lambda: self._on_the_cable(fault),
            # It comes by the clock of the day, set when the stack was started.
            "day": lambda: True,
            "exchange": lambda: self._set_rules(fault.rules),
        }
        try:
            is_done = actions[action]()
        except (psutil.Error, psycopg2.Error, NotRunning, OSError, redis.RedisError, OperationalError) as error:
            self.say(f"{fault.kind}: {type(error).__name__}: {error}")
            is_done = False
        if not is_done:
            self.missed.append(fault.kind)
            return
        self.struck.append(Struck(fault.kind, time.time()))
        if fault.kind != "exchange":
            self.say(f"{fault.kind}{f' for {fault.seconds:.1f} s' if fault.seconds else ''}")

    def _kill(self, target: str, draw: float) -> bool:
        parent, is_child = target, False
        if target.endswith(("-child", "-backend")):
            parent, is_child = target.rpartition("-")[0], True
        found = self._processes(parent, draw)
        victims = found[1:] if is_child else found[:1]
        if target == "postgres-backend":
            victims = [one for one in victims if "127.0.0.1(" in " ".join(one.cmdline())]
        return bool(victims) and _signal([victims[int(draw * len(victims))]], signal.SIGKILL)

    def _stop(self, target: str, fault: Fault) -> bool:
        found = self._processes(target, fault.draw)
        if not found:
            return False
        self._stopped.update(found)
        _signal(found, signal.SIGSTOP)
        time.sleep(fault.seconds)
        _signal(found, signal.SIGCONT)
        self._stopped.difference_update(found)
        return True

    def _quit(self, name: str) -> bool:
        """SIGQUIT: Postgres leaves without a checkpoint or a word to its clients, as by `pg_ctl stop -m immediate`."""
        return _signal(self._processes(name)[:1], signal.SIGQUIT)

    def _terminate(self, draw: float) -> bool:
        count = 1 + int(draw * MOST_TERMINATED)
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(_TERMINATE, (str(draw), count))
            return cursor.fetchone() != (0,)

    def _move_clock(self, target: str, fault: Fault) -> bool:
        clocks = self.arrangement.clocks
        if clocks is None:
            return False
        name = second(target) if target in QUEUES and _is_second(fault.draw) else target
        seconds = CLOCK_OFF_BY if fault.draw * 4 % 1 < 0.5 else -CLOCK_OFF_BY
        with clocks.moved(name, seconds):
            time.sleep(fault.seconds)
        return True

    def _on_the_cable(self, fault: Fault) -> bool:
        host = self.arrangement.host
        if host is None:
            return False
        weather = Weather(**fault.weather, port=self._port(fault.server, fault.draw) if fault.server else None)
        with host.suffering(weather):
            if fault.kind == "packets-half-open":
                # No last word of the dead reaches anybody: whoever talked with them keeps waiting.
                _signal([one for name in QUEUES for one in self.arrangement.second.workers(name)], signal.SIGKILL)
            time.sleep(fault.seconds)
        return True

    def _port(self, server: str, draw: float) -> int | None:
        variable = self._exchange(draw).url_variable if server == EXCHANGE else SERVER_URLS[server]
        return urlsplit(self.stack.state.environment[variable]).port

    def _exchange(self, draw: float) -> Exchange:
        """One of those that are traded at."""
        traded = self.arrangement.exchanges
        return traded[int(draw * 16 % 1 * len(traded))]

    def _processes(self, name: str, draw: float = 0.0) -> list[psutil.Process]:
        """The process of this name and what it has started, if it runs and is a supervisor's; of two, one by `draw`."""
        if name in QUEUES and _is_second(draw):
            return self.arrangement.second.workers(name)
        pid = self.stack.pid_of(self._exchange(draw).program if name == EXCHANGE else name)
        if pid is None:
            return []
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)] if process.ppid() == self.stack.process.pid else []

    def _flush(self) -> bool:
        url = self.stack.state.environment["PULSE_QUEUE_URL"]
        with redis.Redis.from_url(url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.flushall())

    def _second_beat(self, seconds: float) -> bool:
        beat = subprocess.Popen(
            processes.executable(processes.beat()),
            env={**self.environment, **self.stack.state.environment},
            cwd=self.stack.data_dir,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with suppress(subprocess.TimeoutExpired):
            beat.wait(seconds)
        beat.kill()
        beat.wait()
        return True

    def _replay(self, draw: float) -> bool:
        """Send the messages of random orders and slices again, long past ones too."""
        random = Random(draw)
        slices, orders = self._known_ids()
        options = {"socket_timeout": 2, "socket_connect_timeout": 1}
        app = Celery("chaos", broker=self.stack.state.environment["PULSE_QUEUE_URL"], set_as_current=False)
        app.conf.update(broker_transport_options=options, task_ignore_result=True)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            replayed = random.choices(slices, k=REPLAYED_SLICES if slices else 0)
            # A batch, and each of the others by itself.
            for slice_ids in filter(None, (replayed[:IN_A_BATCH], *([one] for one in replayed[IN_A_BATCH:]))):
                app.send_task("pulse.execute_slice", slice_ids, queue="slices", connection=connection, retry=False)
            for order_id in random.choices(orders, k=REPLAYED_ORDERS if orders else 0):
                app.send_task("pulse.split_order", (order_id,), queue="control", connection=connection, retry=False)
        return bool(slices)

    def _known_ids(self) -> tuple[list[str], list[str]]:
        with suppress(psycopg2.Error), closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM order_slices ORDER BY id")
            slices = [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT id FROM orders ORDER BY id")
            self._known = (slices, [row[0] for row in cursor.fetchall()])
        return self._known

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.stack.state.environment["DATABASE_URL"], connect_timeout=1)

    def _set_rules(self, rules: Sequence[dict[str, object]]) -> bool:
        # Each of them, though one does not answer.
        taken = [self._set_rules_of(exchange, rules) for exchange in self.arrangement.exchanges]
        return all(taken)

    def _set_rules_of(self, exchange: Exchange, rules: Sequence[dict[str, object]]) -> bool:
        known = [rule for rule in rules if rule["fault"] not in exchange.lacks]
        with requests.Session() as session:
            session.trust_env = False
            try:
                url = f"{self.stack.state.environment[exchange.url_variable]}/_paper/scenario"
                answer = session.put(url, json={"rules": known}, timeout=2)
            except (requests.RequestException, NotRunning):
                return False
        return answer.ok


def _is_second(draw: float) -> bool:
    """Whether a draw means the second set of workers."""
    return draw * 2 % 1 < 0.5


def _signal(found: Sequence[psutil.Process], number: signal.Signals) -> bool:
    for process in found:
        # psutil compares the start time, so a number that was given to somebody else is left alone.
        if process.is_running():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
    return bool(found)
