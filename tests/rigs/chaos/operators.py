"""Operators under fire: they retry what failed, ask about what is unknown, and settle what no book can tell."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import psycopg2

from pulse_ops.paper_exchange.ledger import Ledger
from tests.rigs.chaos.load import Client, Login
from tests.rigs.chaos.measure import Tables
from tests.support.stacks import PULSE

OPERATOR = "operator"
# Side by side, as one whose request hangs must not keep the others from what only a person can settle; each has slices
# of their own.
HANDS = 4
LOOK_EVERY = 3.0
# What they do, about how many slices at once, of which this is true. First what nobody but they can do.
ACTIONS = {
    "settle": (20, "status = 'UNKNOWN' OR error_code = 'END_UNSEEN'"),
    "retry": (3, "status IN ('FAILED', 'REJECTED')"),
    "resolve": (3, "status = 'UNKNOWN'"),
}
# Longer than a request is on its way: what the exchange has not seen by then it never sees.
ON_ITS_WAY = timedelta(seconds=30)
# A slice may have moved on since it was looked up, or must not be touched.
_RIGHT_ANSWERS = (202, 409)
_SLICES = """SELECT json_build_object('id', id, 'order_id', order_id, 'tag', client_order_id, 'sent_at', sent_at)
    FROM order_slices WHERE {}"""

Row = Mapping[str, Any]


@dataclass
class Operators:
    """`asked` counts what was asked for, `refusals` holds the answers that no right request should get."""

    login: Login
    tables: Tables
    ledgers: Sequence[Path]
    day_ends_at: datetime | None
    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _retries: bool = True
    _noting: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._work, args=(hand,), daemon=True) for hand in range(HANDS)]
        for thread in self._threads:
            thread.start()

    def leave_failures(self) -> None:
        """From now on they retry nothing: an order that was retried is open again."""
        self._retries = False

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _work(self, hand: int) -> None:
        client, random = Client(self.login), Random(f"operators {self.seed} {hand}")
        while not self._ended.wait(LOOK_EVERY):
            self._resume(client, hand)
            for action, (most, condition) in ACTIONS.items():
                if action == "retry" and not self._retries:
                    continue
                found = [one for one in self._slices(condition) if crc32(one["id"].encode()) % HANDS == hand]
                for one in random.sample(found, min(most, len(found))):
                    self._act(client, action, one)

    def _resume(self, client: Client, hand: int) -> None:
        """What the broker refused for a cause of its own: here the causes pass by themselves."""
        held = [one for one in self._held() if crc32(one.encode()) % HANDS == hand]
        for order_id in held:
            answer = client.send("POST", f"/api/orders/{order_id}/resume", None)
            if answer is not None and answer.status_code == 202:
                with self._noting:
                    self.asked["resume"] += 1

    def _held(self) -> list[str]:
        try:
            return self.tables.column("SELECT id FROM orders WHERE hold IS NOT NULL AND status <> 'CANCELLING'")
        except psycopg2.Error:
            return []

    def _slices(self, condition: str) -> list[Row]:
        try:
            return self.tables.column(_SLICES.format(condition))
        except psycopg2.Error:
            return []

    def _act(self, client: Client, action: str, one: Row) -> None:
        said = self._what_the_broker_says(one) if action == "settle" else None
        if action == "settle" and said is None:
            return
        path = f"/api/orders/{one['order_id']}/slices/{one['id']}/{action}"
        answer = client.send("POST", path, said)
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            return
        with self._noting:
            self.asked[action] += answer.status_code == 202
        if answer.status_code not in _RIGHT_ANSWERS:
            self.refusals.append(f"POST {path}: {answer.status_code} {answer.text[:200]}")

    def _what_the_broker_says(self, one: Row) -> dict[str, Any] | None:
        """What an operator reads in the broker's papers of a day that is over; None while they may still change."""
        sent_at = datetime.fromisoformat(one["sent_at"]) if one["sent_at"] else None
        if self.day_ends_at is None or sent_at is None or sent_at > self.day_ends_at:
            return None
        orders, arrivals = [], []
        for path in self.ledgers:
            with Ledger(path) as ledger:
                orders += ledger.orders(one["tag"])
                arrivals += ledger.arrivals(one["tag"])
        is_pending = any(arrival.outcome == "PENDING" for arrival in arrivals)
        if is_pending or any(order.ended_at is None for order in orders) or sent_at > datetime.now(UTC) - ON_ITS_WAY:
            return None
        for order in orders:
            if order.average_price is not None:
                return {"filled": order.filled_quantity, "price": f"{order.average_price:.4f}"}
        return {"absent": True, "reason": "not a share of it in the contract note"}


def add_operator(data_dir: Path) -> str:
    """Let an operator log in at the stack; the password."""
    command = [PULSE, "users", "add", OPERATOR, "--role", "operator", "--generate", "--json", "--data-dir"]
    added = subprocess.run([*command, str(data_dir)], capture_output=True, text=True, check=True, timeout=60)
    return str(json.loads(added.stdout)["password"])
