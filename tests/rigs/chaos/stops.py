"""Operators under fire stop what is traded and let it go on: halts and pauses, as a plan of the seed says."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg2
import requests

from tests.rigs.chaos.exchanges import KITE, Exchange
from tests.rigs.chaos.load import Client, Login
from tests.rigs.chaos.measure import Tables

# Between the end of one halt and the next: an order meets one or two in its minute.
HALT_EVERY, PAUSE_EVERY = (6.0, 18.0), (1.0, 6.0)
LENGTHS = (0.5, 8.0)
# How halts are spread: everything, a broker account, or one instrument.
SCOPES = ("all", "broker_account", "instrument", "instrument", "instrument")
CATCH_UPS = (None, "spread", "next_slice", "burst", "skip")
# What was stopped is let go on once everything works again.
_LET_GO_WITHIN = 60.0
_AGAIN_AFTER = 0.5
_RUNNING = "SELECT id FROM orders WHERE status = 'IN_PROGRESS' ORDER BY id"
_PAUSED = "SELECT id FROM orders WHERE status = 'PAUSED' ORDER BY id"
# The order has gone on by itself, or has ended.
_RIGHT_ANSWERS = (200, 201, 202, 409)


@dataclass(frozen=True)
class Stop:
    """Something is stopped `at` seconds into the run for so many `seconds`; an order is chosen by `pick` among those
    that run then.
    """

    at: float
    seconds: float
    working: str
    halted: dict[str, str] | None = None
    pick: float = 0.0
    catch_up: str | None = None


def halts(seed: int, seconds: float, exchanges: Sequence[Exchange] = (KITE,)) -> list[Stop]:
    """The halts of a run, one after the other; a pure function of its arguments."""
    random = Random(f"halts {seed}")
    return [
        Stop(at, length, working, halted=_scope(random, exchanges))
        for at, length, working in _times(random, seconds, HALT_EVERY)
    ]


def pauses(seed: int, seconds: float) -> list[Stop]:
    """The pauses of a run, one after the other."""
    random = Random(f"pauses {seed}")
    return [
        Stop(at, length, working, pick=random.random(), catch_up=random.choice(CATCH_UPS))
        for at, length, working in _times(random, seconds, PAUSE_EVERY)
    ]


def _times(random: Random, until: float, every: tuple[float, float]) -> Iterator[tuple[float, float, str]]:
    at = random.uniform(*every)
    while at < until:
        length = random.uniform(*LENGTHS)
        yield at, length, random.choice(("keep", "cancel"))
        at += length + random.uniform(*every)


def _scope(random: Random, exchanges: Sequence[Exchange]) -> dict[str, str]:
    named, exchange = random.choice(SCOPES), random.choice(exchanges)
    if named == "broker_account":
        return {named: exchange.account}
    return {named: random.choice(exchange.instruments)} if named == "instrument" else {}


@dataclass
class Stops:
    """`asked` counts what was done, `refusals` holds the answers that no right request should get."""

    login: Login
    tables: Tables
    asked: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, halted: Sequence[Stop], paused: Sequence[Stop]) -> None:
        started = time.monotonic()
        for stop, plan in ((self._halt, halted), (self._pause, paused)):
            self._threads.append(threading.Thread(target=self._work, args=(stop, plan, started), daemon=True))
            self._threads[-1].start()

    def end(self) -> None:
        """Let go on what is still stopped."""
        self._ended.set()
        for thread in self._threads:
            thread.join(2 * _LET_GO_WITHIN)
        client = Client(self.login)
        listed = self._until_answered(client, "GET", "/api/halts?in_force=true&limit=100")
        for one in [] if listed is None else listed.json()["halts"]:
            self._release(client, one["halt_id"])
        for order_id in self._orders(_PAUSED):
            self._until_answered(client, "POST", f"/api/orders/{order_id}/resume")

    def _work(self, stop: Callable[[Client, Stop], None], plan: Sequence[Stop], started: float) -> None:
        client = Client(self.login)
        for one in plan:
            self._ended.wait(one.at - (time.monotonic() - started))
            if self._ended.is_set():
                return
            stop(client, one)

    def _halt(self, client: Client, one: Stop) -> None:
        asked = {"reason": "the rig says so", "working": one.working, **(one.halted or {})}
        answer = self._until_answered(client, "POST", "/api/halt", asked)
        if answer is None or answer.status_code not in (200, 201):
            return
        self.asked["halt"] += 1
        self._ended.wait(one.seconds)
        self._release(client, answer.json()["halt_id"])

    def _release(self, client: Client, halt_id: str) -> None:
        """A release goes on by itself once it was asked for; this one waits for its end."""
        ends_at = time.monotonic() + _LET_GO_WITHIN
        while time.monotonic() < ends_at:
            answer = self._until_answered(client, "POST", f"/api/halt/{halt_id}/release")
            if answer is None or answer.json().get("status") == "RELEASED":
                self.asked["release"] += answer is not None
                return
            time.sleep(_AGAIN_AFTER)
        self.refusals.append(f"release of {halt_id}: not released within {_LET_GO_WITHIN:.0f} s")

    def _pause(self, client: Client, one: Stop) -> None:
        running = self._orders(_RUNNING)
        if not running:
            return
        order_id = running[int(one.pick * len(running))]
        answer = self._until_answered(client, "POST", f"/api/orders/{order_id}/pause?working={one.working}")
        if answer is None or answer.status_code != 202:
            return
        self.asked["pause"] += 1
        self._ended.wait(one.seconds)
        how = f"?catch_up={one.catch_up}" if one.catch_up else ""
        self._until_answered(client, "POST", f"/api/orders/{order_id}/resume{how}")

    def _until_answered(self, client: Client, method: str, path: str, body: Any = None) -> requests.Response | None:
        """Repeat until something other than silence, a 5xx or a 429 comes back."""
        ends_at = time.monotonic() + _LET_GO_WITHIN
        while time.monotonic() < ends_at:
            answer = client.send(method, path, body)
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                if answer.status_code not in _RIGHT_ANSWERS:
                    self.refusals.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
                return answer
            time.sleep(_AGAIN_AFTER)
        return None

    def _orders(self, query: str) -> list[str]:
        try:
            return self.tables.column(query)
        except psycopg2.Error:
            return []
