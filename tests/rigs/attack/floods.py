"""What an attacker does from many connections at once, in a process of its own: bounded in number and in time.

Standard library only, and loopback only.
"""

import http.client
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import Queue
from threading import Thread

HOST = "127.0.0.1"
CONNECTIONS = 16
_TIMEOUT = 15.0


@dataclass(frozen=True)
class Target:
    """The gateway's port, and the token of an account that is an attacker's."""

    port: int
    token: str


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()


Next = Callable[[Target, random.Random], Call]


def ask_for_metrics(_target: Target, dice: random.Random) -> Call:
    """Metrics and readiness where clients are served."""
    return Call("GET", dice.choice(["/metrics", "/ready", "/metrics-anything", "/health-anything"]))


def guess_passwords(_target: Target, dice: random.Random) -> Call:
    """Logins of names that there may be."""
    return Call(
        "POST", "/api/auth/login", {"username": f"user-{dice.randrange(10_000)}", "password": "a wrong password"}
    )


def place_too_much(target: Target, dice: random.Random) -> Call:
    """As many slices as an order may have, in as little time; now and then a look at all orders."""
    bearer = (("Authorization", f"Bearer {target.token}"),)
    if dice.random() < 0.2:
        return Call("GET", "/api/orders?limit=200", headers=bearer)
    order = {
        "order_unique_key": f"greedy-{secrets.token_hex(8)}",
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 1000,
        "split_config": {"num_splits": 100, "duration_minutes": 1, "randomize": True},
    }
    return Call("POST", "/api/orders", order, bearer)


def make_webhooks(target: Target, dice: random.Random) -> Call:
    """Webhooks at hosts that nobody knows, as many as the account may have; and orders, whose events they get."""
    if dice.random() < 0.1:
        return place_too_much(target, dice)
    url = f"https://{secrets.token_hex(4)}.slow-names.example/events"
    return Call("POST", "/api/webhooks", {"url": url}, (("Authorization", f"Bearer {target.token}"),))


SLOW_NAMES = "slow names"
FLOODS: dict[str, Next] = {
    "metrics flood": ask_for_metrics,
    "login flood": guess_passwords,
    "one greedy trader": place_too_much,
    SLOW_NAMES: make_webhooks,
}


class Flood:
    """One of these, from `CONNECTIONS` connections for so many seconds."""

    def __init__(self, name: str, target: Target, seconds: float) -> None:
        spawn = get_context("spawn")
        self._told: Queue[dict[int, int]] = spawn.Queue()
        self._process = spawn.Process(target=_run, args=(name, target, seconds, self._told), daemon=True)

    def start(self) -> None:
        self._process.start()

    def answers(self) -> dict[int, int]:
        """How often each status was answered, 0 for no answer at all; waits for the end."""
        told = self._told.get(timeout=120)
        self._process.join(10)
        return told


def _run(name: str, target: Target, seconds: float, told: "Queue[dict[int, int]]") -> None:
    statuses: Counter[int] = Counter()
    ends_at = time.monotonic() + seconds
    threads = [
        Thread(target=_keep_asking, args=(FLOODS[name], target, number, ends_at, statuses), daemon=True)
        for number in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + _TIMEOUT + 5)
    told.put(dict(statuses))


def _keep_asking(following: Next, target: Target, number: int, ends_at: float, statuses: Counter[int]) -> None:
    dice = random.Random(number)
    connection: http.client.HTTPConnection | None = None
    while time.monotonic() < ends_at:
        call = following(target, dice)
        # All of 127.0.0.0/8 is this machine: each connection comes from a network of its own.
        connection = connection or http.client.HTTPConnection(
            HOST, target.port, timeout=_TIMEOUT, source_address=(f"127.{number + 1}.{dice.randrange(200)}.1", 0)
        )
        try:
            connection.request(call.method, call.path, _content(call), {**dict(call.headers), **_type(call)})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        except (OSError, http.client.HTTPException):
            statuses[0] += 1
            connection.close()
            connection = None


def _content(call: Call) -> str | None:
    return None if call.body is None else json.dumps(call.body)


def _type(call: Call) -> dict[str, str]:
    return {} if call.body is None else {"Content-Type": "application/json"}
