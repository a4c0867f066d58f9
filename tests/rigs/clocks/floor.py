"""A whole installation as real processes, one of which has a wall clock that is off."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from pulse_ops import verify
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from pulse_ops.verify.violation import Violation
from tests.rigs.clocks.faked import faked
from tests.support.processes import Processes

# Short enough to be over within a test, and far shorter than a clock that is a minute off.
SETTINGS = {
    "PULSE_LEASE": "4",
    "PULSE_BROKER_TIMEOUT": "1",
    "PULSE_SETTLE_DELAY": "6",
    "PULSE_OVERDUE_AFTER": "2",
    "PULSE_SLICE_TIMEOUT": "20",
    "PULSE_RETRY_BACKOFF_MAX": "1",
    "PULSE_BROKER_ORDERS_PER_SECOND": "0",
    "PULSE_PAPER_LIMITS": "false",
    # A busy machine is no refusal.
    "PULSE_ANSWER_TIMEOUT": "14",
}
KINDS = ("pulse", "gapi", "control", "slices", "beat")


@dataclass
class Floor:
    """Every process by its kind. Two sets of control workers, as on two hosts: one of them may be the odd one."""

    processes: Processes
    exchange_url: str = ""
    pulse_port: int = field(default_factory=free_port)
    gapi_port: int = field(default_factory=free_port)
    running: dict[str, Child] = field(default_factory=dict)
    off: dict[str, float] = field(default_factory=dict)

    @property
    def gapi_url(self) -> str:
        return f"http://127.0.0.1:{self.gapi_port}"

    def open(self) -> None:
        port = int(self.processes.environment["PULSE_PAPER_EXCHANGE_URL"].rpartition(":")[2])
        _, self.exchange_url = self.processes.exchange(port=port)
        self.processes.worker_control()

    def put_off(self, odd: str, seconds: float) -> Child:
        """From now on this kind of process has a wall clock that is ahead by so much, and all others a right one."""
        for kind in KINDS:
            wanted = seconds if kind == odd else 0.0
            if kind not in self.running or wanted != self.off[kind]:
                self._replace(kind, faked(self.processes.environment, wanted) if wanted else {})
                self.off[kind] = wanted
        return self.running[odd]

    def suffer(self, *rules: Mapping[str, Any]) -> None:
        """Let the exchange suffer from these and nothing else."""
        answer = requests.put(f"{self.exchange_url}/_paper/scenario", json={"rules": rules}, timeout=5)
        answer.raise_for_status()

    def arrivals(self) -> int:
        return len(broker_records.from_exchange(self.exchange_url).arrivals)

    def broken_promises(self) -> list[Violation]:
        """The database held against the exchange's ledger, all orders being final."""
        found = database.read(self.processes.environment["DATABASE_URL"], "paper")
        facts = Facts(found, broker_records.from_exchange(self.exchange_url), is_final=True, grace=timedelta(0))
        return verify.broken_promises(facts)

    def _replace(self, kind: str, environment: Mapping[str, str]) -> None:
        if kind in self.running:
            self.running[kind].stop(10)
        self.running[kind] = self._start(kind, **environment)

    def _start(self, kind: str, **environment: str) -> Child:
        if kind == "pulse":
            return self.processes.pulse(self.pulse_port, **environment)[0]
        if kind == "gapi":
            url = f"http://127.0.0.1:{self.pulse_port}"
            return self.processes.gapi(self.gapi_port, PULSE_URL=url, **environment)[0]
        start: Callable[..., Child] = {
            "slices": self.processes.worker_slices,
            "control": self.processes.worker_control,
            "beat": self.processes.beat,
        }[kind]
        return start(**environment)


@contextmanager
def running_floor(environment: Mapping[str, str], folder: Path) -> Iterator[Floor]:
    floor = Floor(Processes(folder, {**environment, **SETTINGS}))
    try:
        floor.open()
        yield floor
    finally:
        floor.processes.close()
