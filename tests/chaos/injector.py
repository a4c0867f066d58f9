"""Makes one planned fault happen to a running stack. Signals go only to processes of that stack."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psutil
import psycopg2
import redis
import requests
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from pulse_core.stack import processes
from pulse_core.stack.errors import NotRunning
from tests.chaos.plan import Fault
from tests.stacks import Stack

REPLAYED_SLICES, REPLAYED_ORDERS = 25, 5


@dataclass(frozen=True)
class Struck:
    """A fault that happened: `at` is when the harm was done or, for a stop, undone (seconds since the epoch)."""

    kind: str
    at: float


@dataclass
class Injector:
    """`struck` and `missed` (there was nothing to strike just then) tell what became of the plan."""

    stack: Stack
    environment: dict[str, str]
    say: Callable[[str], None]
    struck: list[Struck] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    _stopped: set[psutil.Process] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _known: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

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
            "stop": lambda: self._stop(target, fault.seconds),
            "flushall": self._flush,
            "second": lambda: self._second_beat(fault.seconds),
            "replay": lambda: self._replay(fault.draw),
            "exchange": lambda: self._set_rules(fault.rules),
        }
        try:
            is_done = actions[action]()
        except (psutil.Error, NotRunning, OSError, redis.RedisError, OperationalError) as error:
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
        found = self._processes(parent)
        victims = found[1:] if is_child else found[:1]
        if target == "postgres-backend":
            victims = [one for one in victims if "127.0.0.1(" in " ".join(one.cmdline())]
        return bool(victims) and _signal([victims[int(draw * len(victims))]], signal.SIGKILL)

    def _stop(self, target: str, seconds: float) -> bool:
        found = self._processes(target)
        if not found:
            return False
        self._stopped.update(found)
        _signal(found, signal.SIGSTOP)
        time.sleep(seconds)
        _signal(found, signal.SIGCONT)
        self._stopped.difference_update(found)
        return True

    def _processes(self, name: str) -> list[psutil.Process]:
        """The process of this name and what it has started, if it runs and is the supervisor's."""
        pid = self.stack.pid_of(name)
        if pid is None:
            return []
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)] if process.ppid() == self.stack.process.pid else []

    def _flush(self) -> bool:
        url = self.stack.state.environment["REDIS_URL"]
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
        app = Celery("chaos", broker=self.stack.state.environment["REDIS_URL"], set_as_current=False)
        app.conf.update(broker_transport_options=options, task_ignore_result=True)
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            for slice_id in random.choices(slices, k=REPLAYED_SLICES if slices else 0):
                app.send_task("pulse.execute_slice", (slice_id,), queue="slices", connection=connection, retry=False)
            for order_id in random.choices(orders, k=REPLAYED_ORDERS if orders else 0):
                app.send_task("pulse.split_order", (order_id,), queue="control", connection=connection, retry=False)
        return bool(slices)

    def _known_ids(self) -> tuple[list[str], list[str]]:
        with suppress(psycopg2.Error):
            connection = psycopg2.connect(self.stack.state.environment["DATABASE_URL"], connect_timeout=1)
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT id FROM order_slices ORDER BY id")
                    slices = [row[0] for row in cursor.fetchall()]
                    cursor.execute("SELECT id FROM orders ORDER BY id")
                    self._known = (slices, [row[0] for row in cursor.fetchall()])
            finally:
                connection.close()
        return self._known

    def _set_rules(self, rules: Sequence[dict[str, object]]) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                url = f"{self.stack.state.urls['exchange']}/_paper/scenario"
                answer = session.put(url, json={"rules": list(rules)}, timeout=2)
            except (requests.RequestException, NotRunning):
                return False
        return answer.ok


def _signal(found: Sequence[psutil.Process], number: signal.Signals) -> bool:
    for process in found:
        # psutil compares the start time, so a number that was given to somebody else is left alone.
        if process.is_running():
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)
    return True
