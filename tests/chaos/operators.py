"""Operators under fire: they retry what failed or was rejected, and ask the broker about what is unknown."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg2

from tests.chaos.load import Client, Login
from tests.chaos.measure import Tables
from tests.stacks import PULSE

NAME = "operator"
LOOK_EVERY = 3.0
MOST_AT_ONCE = 3
# What they do about slices in which status.
ACTIONS = {"retry": ("FAILED", "REJECTED"), "resolve": ("UNKNOWN",)}
# A slice may have moved on since it was looked up, or must not be sent again.
_RIGHT_ANSWERS = (202, 409)


@dataclass
class Operators:
    """`asked` counts what was asked for, `refusals` holds the answers that no right request should get."""

    gapi: str
    password: str
    tables: Tables
    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join(20)

    def _work(self) -> None:
        client, random = Client(Login(self.gapi, NAME, self.password)), Random(f"operators {self.seed}")
        while not self._ended.wait(LOOK_EVERY):
            for action, statuses in ACTIONS.items():
                found = self._slices_in(statuses)
                for slice_id, order_id in random.sample(found, min(MOST_AT_ONCE, len(found))):
                    self._ask(client, action, order_id, slice_id)

    def _slices_in(self, statuses: Sequence[str]) -> list[tuple[str, str]]:
        chosen = ", ".join(f"'{status}'" for status in statuses)
        try:
            return self.tables.column(f"SELECT ARRAY[id, order_id] FROM order_slices WHERE status IN ({chosen})")
        except psycopg2.Error:
            return []

    def _ask(self, client: Client, action: str, order_id: str, slice_id: str) -> None:
        answer = client.send("POST", f"/api/orders/{order_id}/slices/{slice_id}/{action}")
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return
        self.asked[action] += answer.status_code == 202
        if answer.status_code not in _RIGHT_ANSWERS:
            self.refusals.append(f"{action} {slice_id}: {answer.status_code} {answer.text[:200]}")


def add_operator(data_dir: Path) -> str:
    """Let an operator log in at the stack; the password."""
    command = [PULSE, "users", "add", NAME, "--role", "operator", "--generate", "--json", "--data-dir", str(data_dir)]
    added = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return str(json.loads(added.stdout)["password"])
