"""What happens to an installation under systemd: orders, kills, stops, a boot, and a judgement at the end."""

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2

from tests.rigs.systemd.machine import Failed, Machine

UNITS = ("pulse-gapi", "pulse-api", "pulse-worker-slices", "pulse-worker-control", "pulse-beat", "pulse-flower")
BY_HAND = ("pulse-migrate", "pulse-archive", "pulse-archive-ledger")
TIMERS = ("pulse-archive.timer", "pulse-archive-ledger.timer")
# What they started is a server whose only child does the work.
WITH_A_CHILD = ("pulse-gapi", "pulse-api")
FIRST_WORKER, SECOND_WORKER = "pulse-worker-slices", "pulse-worker-slices-2"
CHANGED = "s/-n slices@/-n slices-2@/; s/PULSE_METRICS_PORT=8011/PULSE_METRICS_PORT=8014/"
# How exposed a unit is, in tenths of what systemd-analyze says, which goes up to 10.
EXPOSED_AT_MOST = 20
SHARES, SLICES = 500, 20
ARCHIVE = "/var/lib/pulse/archive"
OLDER = (
    "UPDATE orders SET created_at = created_at - interval '100 days', finished_at = finished_at - interval '100 days'"
)
GATEWAY = "http://127.0.0.1:8000"
WITHIN_SECONDS, DONE_WITHIN_SECONDS = 120.0, 240.0
Say = Callable[[str], None]


@dataclass
class Trial:
    """`for_commands` is what stands on the page before commands of `pulse`."""

    machine: Machine
    for_commands: str
    owner_url: str
    say: Say
    _password: str = ""

    def run(self) -> None:
        """Raises Failed."""
        self._look_at_the_units()
        self._wait_until_well()
        self._password = json.loads(self._pulse("users add alice --generate --json"))["password"]
        order_id = self._place("killed")
        self._add_a_worker_and_take_it_away()
        self._kill_each()
        self._wait_until_filled(order_id)
        order_id = self._place("stopped")
        self._stop_each()
        self._wait_until_filled(order_id)
        self._archive()
        order_id = self._place("booted")
        self._boot_again()
        self._wait_until_filled(order_id)
        self.say(self._pulse(f"verify --final --archive {ARCHIVE}").strip())

    def _look_at_the_units(self) -> None:
        names = [f"{unit}.service" for unit in (*UNITS, *BY_HAND)]
        said = self.machine.ask("systemd-analyze", "verify", *names, "pulse.target", *TIMERS)
        if said.returncode or said.stderr.strip():
            raise Failed(f"systemd-analyze verify says: {said.stderr}")
        for name in names:
            exposed = self.machine.ask("systemd-analyze", "security", f"--threshold={EXPOSED_AT_MOST}", name)
            self.say(exposed.stdout.strip().splitlines()[-1].removeprefix("→ "))
            if exposed.returncode:
                raise Failed(f"{name} is more exposed than {EXPOSED_AT_MOST / 10:g}")

    def _add_a_worker_and_take_it_away(self) -> None:
        """As docs/operations/workers.md says."""
        original, copy = (f"/etc/systemd/system/{unit}.service" for unit in (FIRST_WORKER, SECOND_WORKER))
        self.machine.run("bash", "-ec", f"sed '{CHANGED}' {original} > {copy}")
        self.machine.run("systemctl", "enable", "--now", SECOND_WORKER)
        self._wait_for(lambda: self._workers() == 2, "a second slices worker tells of itself")
        # In two steps: systemd forgets what is neither enabled nor running, with how it ended.
        self.machine.run("systemctl", "stop", SECOND_WORKER)
        self._ended_as_it_should(SECOND_WORKER)
        self.machine.run("systemctl", "disable", SECOND_WORKER)
        self._wait_for(lambda: self._workers() == 1, "and is taken away")

    def _workers(self) -> int:
        """How many slices workers tell of themselves."""
        lines = self._asked_pulse("status").stdout.splitlines()
        return sum(line.startswith("worker-slices ") and " ago " in line for line in lines)

    def _kill_each(self) -> None:
        """Its first process, then for a server its child: systemd starts the unit again."""
        for unit in UNITS:
            self._kill(unit, self._show(unit, "MainPID"))
        for unit in WITH_A_CHILD:
            group = self._show(unit, "ControlGroup")
            processes = self.machine.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs").split()
            (child,) = set(processes) - {self._show(unit, "MainPID")}
            self._kill(unit, child)
        self._wait_until_well()

    def _kill(self, unit: str, process: str) -> None:
        before = self._show(unit, "MainPID")
        self.machine.run("bash", "-c", f"kill -9 {process}")
        self._wait_for(
            lambda: self._show(unit, "ActiveState") == "active" and self._show(unit, "MainPID") not in ("0", before),
            f"{unit} runs again after {'its child' if process != before else 'it'} was killed",
        )

    def _stop_each(self) -> None:
        """One after the other while an order trades; then all are started by the target."""
        for unit in UNITS:
            self.machine.run("systemctl", "stop", unit)
            self._ended_as_it_should(unit)
        self.machine.run("systemctl", "start", "pulse.target")
        self._wait_until_well()

    def _ended_as_it_should(self, unit: str) -> None:
        """By itself, within the time that its unit gives it. Raises Failed."""
        ended = [self._show(unit, name) for name in ("Result", "ExecMainCode", "ExecMainStatus")]
        # 1 is CLD_EXITED.
        if ended != ["success", "1", "0"]:
            raise Failed(f"{unit} did not end as it should: {ended}")
        self.say(f"{unit} ended by itself")

    def _archive(self) -> None:
        """What has ended becomes old, and goes into files."""
        with closing(psycopg2.connect(self.owner_url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(OLDER)
        self.machine.run("systemctl", "start", "pulse-archive", "pulse-archive-ledger")
        self.say(self._pulse(f"archive days --from {ARCHIVE}").strip().splitlines()[-1])
        for unit, timer in zip(BY_HAND[1:], TIMERS, strict=True):
            self._ended_as_it_should(unit)
            due = self._show(timer, "NextElapseUSecRealtime")
            if not due:
                raise Failed(f"{timer} does not know when it is due")
            self.say(f"and runs again on {due}")

    def _boot_again(self) -> None:
        self.machine.power_off()
        self.say("the machine is off")
        self.machine.boot()
        self.say("and on again")
        self._wait_until_well()

    def _wait_until_well(self) -> None:
        self.machine.run("systemctl", "is-active", *UNITS, "pulse.target", *TIMERS)
        self._wait_for(lambda: self._asked_pulse("doctor").returncode == 0, "the doctor is content")
        self.machine.run("systemctl", "is-active", *UNITS, "pulse.target", *TIMERS)

    def _place(self, key: str) -> str:
        """The id of a new order of alice, asked for with curl."""
        order = {
            "order_unique_key": key,
            "instrument": "NSE:RELIANCE",
            "side": "BUY",
            "total_quantity": SHARES,
            "split_config": {"num_splits": SLICES, "duration_minutes": 1},
        }
        order_id: str = self._curl("/api/orders", order)["order_id"]
        self.say(f"{order_id} is placed")
        return order_id

    def _wait_until_filled(self, order_id: str) -> None:
        path = f"/api/orders/{order_id}"
        self._wait_for(lambda: self._curl(path)["status"] == "DONE", f"{order_id} has ended", DONE_WITHIN_SECONDS)
        filled = self._curl(path)["filled_quantity"]
        if filled != SHARES:
            raise Failed(f"{filled} of {SHARES} shares were filled")

    def _curl(self, path: str, body: object = None) -> Any:
        login = {"username": "alice", "password": self._password}
        token = self._asked_with_curl("/api/auth/login", login)["access_token"]
        return self._asked_with_curl(path, body, "--header", f"Authorization: Bearer {token}")

    def _asked_with_curl(self, path: str, body: object, *options: str) -> Any:
        sent = () if body is None else ("--json", json.dumps(body))
        return json.loads(
            self.machine.run("curl", "--silent", "--show-error", "--fail-with-body", *options, *sent, GATEWAY + path)
        )

    def _pulse(self, command: str) -> str:
        return self.machine.run("bash", "-ec", f"{self.for_commands}\npulse {command}")

    def _asked_pulse(self, command: str) -> "subprocess.CompletedProcess[str]":
        return self.machine.ask("bash", "-ec", f"{self.for_commands}\npulse {command}")

    def _show(self, unit: str, name: str) -> str:
        return self.machine.run("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def _wait_for(self, condition: Callable[[], bool], what: str, seconds: float = WITHIN_SECONDS) -> None:
        ends_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > ends_at:
                raise Failed(f"not within {seconds:g} s: {what}")
            time.sleep(0.5)
        self.say(what)
