"""Clients of the gateway: they place orders, repeat what was not answered, pause and cancel some, and look."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import requests

from pulse_ops.paper_exchange.market import Market
from tests.rigs.chaos.exchanges import ALPACA, KITE, Exchange

# About four slices a second: two control workers that read the long book of a day carry that on two cores.
SECONDS_PER_ORDER = 4.2
FEWEST_ORDERS = 16
PROBE_EVERY = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 4.0
# Of the price: some of these orders trade at once, some later, some never.
LIMIT_AROUND = 0.002
_TIMEOUT = 6.0
# As prices begin at each exchange.
_MARKET = Market(1)


@dataclass(frozen=True)
class Intent:
    """An order to be placed `at` seconds into the run, by two clients at once if `is_twofold`."""

    at: float
    body: dict[str, Any]
    cancel_after: float | None
    is_twofold: bool
    # How long after its acceptance the order is paused, and for how long.
    paused: tuple[float, float] | None


def intents(seed: int, seconds: float, exchanges: Sequence[Exchange] = (KITE,)) -> list[Intent]:
    """The orders of a run, by turns at each exchange; a pure function of its arguments. Windows are a minute long."""
    random = Random(f"load {seed}")
    until = max(seconds - 70, 10)
    count = max(round(until / SECONDS_PER_ORDER), FEWEST_ORDERS)
    return [
        _intent(random, f"chaos-{seed}-{number}", until, exchanges[number % len(exchanges)]) for number in range(count)
    ]


def _intent(random: Random, key: str, until: float, exchange: Exchange) -> Intent:
    num_splits = random.randint(5, 30)
    body = {
        "order_unique_key": key,
        "instrument": random.choice(exchange.instruments),
        "side": random.choice(("BUY", "SELL")),
        "total_quantity": random.randint(num_splits, 100 * num_splits),
        "split_config": {"num_splits": num_splits, "duration_minutes": 1, "randomize": random.random() < 0.7},
    }
    if exchange is ALPACA:
        # Its market is open but for the minute before midnight there.
        body |= {"broker_account": exchange.account, "session": "wait"}
    body |= _policy(key)
    if random.random() < 0.25:
        body |= {"order_type": "LIMIT", "limit_price": _limit(random, body["instrument"])}
    cancel_after = random.uniform(2, 50) if random.random() < 0.08 else None
    paused = (random.uniform(1, 30), random.uniform(1, 12)) if random.random() < 0.2 else None
    return Intent(random.uniform(0, until), body, cancel_after, random.random() < 0.2, paused)


def _policy(key: str) -> dict[str, Any]:
    """How the order catches up; half of them say nothing of it."""
    random = Random(f"policy {key}")
    if random.random() < 0.5:
        return {}
    return {
        "catch_up": random.choice(("spread", "next_slice", "burst", "skip")),
        "max_slice_multiple": random.choice((1, 2, 3, 10)),
        "extend_minutes": random.choice((0, 0, 1)),
        "leftover": random.choice(("catch_up", "catch_up", "drop")),
        "at_end": random.choice(("leave", "market")),
    }


def _limit(random: Random, instrument: str) -> str:
    price, tick = _MARKET.price(instrument), _MARKET.tick(instrument)
    ticks = round(price * random.uniform(1 - LIMIT_AROUND, 1 + LIMIT_AROUND)) // tick
    return f"{Decimal(ticks * tick) / 100:.2f}"


@dataclass
class Load:
    """Runs the clients in threads. What they saw stands in the fields, to be read when they have ended."""

    gapi: str
    username: str
    password: str
    say: Callable[[str], None]
    order_ids: dict[str, set[str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    repeats: int = 0
    cancels: int = 0
    pauses: int = 0
    answered_at: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _login: "Login" = field(init=False)
    _ended: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._login = Login(self.gapi, self.username, self.password)

    def start(self, wanted: list[Intent]) -> None:
        started = time.monotonic()
        for intent in wanted:
            for _ in range(2 if intent.is_twofold else 1):
                self._spawn(self._place, intent, started)
        self._spawn(self._probe)

    def wait(self, seconds: float) -> None:
        """Until every order was placed and every cancellation taken, or `seconds` have passed."""
        ends_at = time.monotonic() + seconds
        for thread in self._threads[:-1]:
            thread.join(max(ends_at - time.monotonic(), 0))

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(20)

    def _spawn(self, target: Callable[..., None], *args: Any) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _place(self, intent: Intent, started: float) -> None:
        self._ended.wait(intent.at - (time.monotonic() - started))
        client = Client(self._login)
        answer = self._until_answered(lambda: client.send("POST", "/api/orders", intent.body))
        if answer is None:
            return
        with self._lock:
            key = intent.body["order_unique_key"]
            if answer.status_code != 202:
                self.refusals.append(f"POST {key}: {answer.status_code} {answer.text[:200]}")
                return
            order_id = answer.json()["order_id"]
            self.order_ids.setdefault(key, set()).add(order_id)
        if intent.paused is not None:
            after, seconds = intent.paused
            self._ended.wait(after)
            self.pauses += self._act(client, "POST", f"/api/orders/{order_id}/pause")
            self._ended.wait(seconds)
            self._act(client, "POST", f"/api/orders/{order_id}/resume")
        if intent.cancel_after is not None:
            self._ended.wait(intent.cancel_after)
            self.cancels += self._act(client, "DELETE", f"/api/orders/{order_id}")

    def _act(self, client: "Client", method: str, path: str) -> bool:
        """Ask until there is an answer; whether it was yes. A no is right where the order has gone on meanwhile."""
        answer = self._until_answered(lambda: client.send(method, path))
        if answer is None:
            return False
        if answer.status_code not in (202, 409):
            with self._lock:
                self.refusals.append(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code == 202

    def _until_answered(self, send: Callable[[], requests.Response | None]) -> requests.Response | None:
        """Repeat until something other than silence, a 5xx or a 429 comes back, or that what is asked for is halted."""
        pause = FIRST_PAUSE
        while not self._ended.is_set():
            answer = send()
            if answer is not None and answer.status_code < 500 and answer.status_code != 429 and not _is_halted(answer):
                return answer
            with self._lock:
                self.repeats += 1
            self._ended.wait(pause)
            # Many clients that wait for the gateway must not be what keeps it from coming back.
            pause = min(pause * 2, LONGEST_PAUSE)
        return None

    def _probe(self) -> None:
        client = Client(self._login)
        while not self._ended.wait(PROBE_EVERY):
            asked_at = time.time()
            answer = client.send("GET", "/api/orders?limit=1", timeout=2.0)
            if answer is not None and answer.status_code == 200:
                self.answered_at.append(asked_at)


def _is_halted(answer: requests.Response) -> bool:
    return answer.status_code == 409 and answer.json()["error"]["code"] == "HALTED"


class Login:
    """One session for all clients: a login costs the server a tenth of a second of work, on purpose."""

    def __init__(self, gapi: str, username: str, password: str) -> None:
        self.gapi = gapi
        self._credentials = {"username": username, "password": password}
        self._lock = threading.Lock()
        self._token = ""

    def token(self, spent: str, http: requests.Session) -> str:
        """A token other than `spent`. Raises RequestException, or ValueError where there was none."""
        with self._lock:
            if self._token == spent:
                answer = http.post(f"{self.gapi}/api/auth/login", json=self._credentials, timeout=_TIMEOUT)
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
            return self._token


class Client:
    def __init__(self, login: Login) -> None:
        self._login = login
        self._http = requests.Session()
        self._http.trust_env = False
        self._token = ""

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        timeout: float = _TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response | None:
        """The answer, or None where there was none. Logs in when the token is missing or spent."""
        try:
            self._token = self._token or self._login.token("", self._http)
            bearer = {**(headers or {}), "Authorization": f"Bearer {self._token}"}
            answer = self._http.request(method, self._login.gapi + path, json=body, headers=bearer, timeout=timeout)
            if answer.status_code == 401:
                self._token = self._login.token(self._token, self._http)
                return None
        except (requests.RequestException, ValueError):
            return None
        return answer
