"""A trader who places orders through the gateway all the time, and repeats each until it is acknowledged."""

import secrets
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field

import psycopg2
import requests
from argon2 import PasswordHasher
from ulid import ULID

from api_contract import ids
from pulse_core.postgres.urls import libpq_url

QUANTITY, SLICES = 60, 6
_ADD_USER = """
    INSERT INTO accounts (id, username, password_hash, role, is_active, generation, created_at, updated_at)
    VALUES (%s, %s, %s, 'trader', true, 1, now(), now())
"""
# What a client is told to repeat: the gateway or pulse is away, or busy.
_AGAIN = (429, 502, 503, 504)


@dataclass
class Trader:
    """`acknowledged` has the ids of orders by their keys, `refused` what was refused for good.

    `unexpected`: every answer that is neither a success nor one that a client is told to repeat.
    """

    gapi: str
    username: str
    password: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _http: requests.Session = field(default_factory=requests.Session)
    _ended: threading.Event = field(default_factory=threading.Event)
    _token: str = ""

    def __post_init__(self) -> None:
        # It goes to the loopback, or to a host of the test's own.
        self._http.trust_env = False

    def trade(self, pause: float = 0.5, *, is_watching: bool = False) -> None:
        """Place orders in a thread until `stop`; it connects from the host of this thread.

        One who is watching looks at each order and at the list after it was acknowledged.
        """
        self._thread = threading.Thread(target=self._place_all, args=(pause, is_watching), daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 60) -> None:
        """Place no more; what was sent is repeated until it is acknowledged."""
        self._ended.set()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "an order is not acknowledged"

    def access_token(self) -> str:
        """That of one login, made when it is first asked for. Raises RequestException while nobody can log in."""
        if not self._token:
            body = {"username": self.username, "password": self.password}
            answer = self._noted(self._http.post(f"{self.gapi}/api/auth/login", json=body, timeout=15))
            answer.raise_for_status()
            self._token = str(answer.json()["access_token"])
        return self._token

    def _place_all(self, pause: float, is_watching: bool) -> None:
        while not self._ended.wait(pause):
            key = secrets.token_hex(8)
            while not self._is_placed(key):
                time.sleep(0.2)
            if is_watching and key in self.acknowledged:
                self._look_at(self.acknowledged[key])

    def _is_placed(self, key: str) -> bool:
        split = {"num_splits": SLICES, "duration_minutes": 1, "randomize": False}
        body = {"order_unique_key": key, "instrument": "NSE:RELIANCE", "side": "BUY", "total_quantity": QUANTITY}
        try:
            answer = self._ask("POST", "/api/orders", body | {"split_config": split})
        except requests.RequestException:
            return False
        if answer.ok:
            self.acknowledged[key] = answer.json()["order_id"]
            return True
        if answer.status_code >= 500 or answer.status_code in _AGAIN:
            return False
        self.refused.append(f"{answer.status_code} {answer.text}")
        return True

    def _look_at(self, order_id: str) -> None:
        for path in (f"/api/orders/{order_id}", f"/api/orders/{order_id}/slices", "/api/orders"):
            with suppress(requests.RequestException):
                self._ask("GET", path)

    def _ask(self, method: str, path: str, body: object = None) -> requests.Response:
        """Raises RequestException when nothing answers, and while nobody can log in."""
        headers = {"Authorization": f"Bearer {self.access_token()}"}
        return self._noted(self._http.request(method, self.gapi + path, json=body, headers=headers, timeout=6))

    def _noted(self, answer: requests.Response) -> requests.Response:
        if not answer.ok and answer.status_code not in _AGAIN:
            self.unexpected.append(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}")
        return answer


def a_trader(gapi: str, database_url: str) -> Trader:
    """One with an account of his own."""
    username, password = f"trader-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(password)
    with closing(psycopg2.connect(libpq_url(database_url))) as connection, connection:
        connection.cursor().execute(_ADD_USER, (ids.account_id(ULID()), username, cheap))
    return Trader(gapi, username, password)
