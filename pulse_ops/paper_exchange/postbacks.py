"""The exchange's postbacks: sent once, in the background, and lost if nobody listens."""

import hashlib
import heapq
import itertools
import json
import sqlite3
import time
from threading import Condition, Thread

import requests

from pulse_ops.paper_exchange.clock import india_text
from pulse_ops.paper_exchange.wire import USER_ID, order_row

_TIMEOUT = 2.0
_MOST_WAITING = 10_000
_STATUSES = {"COMPLETE": "COMPLETE", "CANCELLED": "CANCEL", "REJECTED": "REJECTED"}


class Postbacks:
    """Posts from one thread of its own. Without a `url` it does nothing."""

    def __init__(self, url: str | None, api_secret: str) -> None:
        self._url = url
        self._api_secret = api_secret
        self._waiting: list[tuple[float, int, bytes]] = []
        self._numbers = itertools.count()
        self._changed = Condition()
        if url:
            Thread(target=self._keep_posting, args=(url,), name="postbacks", daemon=True).start()

    def send(self, order: sqlite3.Row) -> None:
        """Tell the state of an order, with what the scenario does to its news.

        As at Kite, an order that merely stands open is no news: only its fills and its end are.
        """
        fault = order["postback_fault"]
        if self._url is None or fault == "postback_lost" or not _is_news(order):
            return
        body = self._body(order)
        copies = 2 if fault == "postback_duplicated" else 1
        delay = _reordering_delay(order) if fault == "postback_reordered" else 0.0
        for _ in range(copies):
            self._put(body, delay)

    def _body(self, order: sqlite3.Row) -> bytes:
        order_id, at = order["order_id"], india_text(order["updated_at"])
        news = order_row(order) | {
            "user_id": USER_ID,
            "app_id": 0,
            "unfilled_quantity": order["quantity"] - order["filled_quantity"],
            "status": _STATUSES.get(order["status"], "UPDATE"),
            "checksum": _checksum(order_id, at, self._api_secret),
        }
        return json.dumps(news).encode()

    def _put(self, body: bytes, delay: float) -> None:
        with self._changed:
            if len(self._waiting) < _MOST_WAITING:
                heapq.heappush(self._waiting, (time.monotonic() + delay, next(self._numbers), body))
                self._changed.notify()

    def _take(self) -> bytes:
        with self._changed:
            while not self._waiting or self._waiting[0][0] > time.monotonic():
                self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
            return heapq.heappop(self._waiting)[2]

    def _keep_posting(self, url: str) -> None:
        session = requests.Session()
        session.trust_env = False
        while True:
            body = self._take()
            try:
                session.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=_TIMEOUT)
            except requests.RequestException:
                # Fire and forget, as the real one: whoever missed it reads the book.
                continue


def _checksum(order_id: str, order_timestamp: str, api_secret: str) -> str:
    # As Kite Connect signs its postbacks.
    return hashlib.sha256((order_id + order_timestamp + api_secret).encode()).hexdigest()


def _is_news(order: sqlite3.Row) -> bool:
    return order["status"] in _STATUSES or order["filled_quantity"] > 0


def _reordering_delay(order: sqlite3.Row) -> float:
    # Interim news comes after the final news, and all of it after that of later orders.
    seconds: float = order["postback_seconds"]
    return seconds if order["status"] in _STATUSES else 2 * seconds
