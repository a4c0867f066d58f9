"""Clients of the gateway and of the floor: the same requests, from the same generator."""

import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.children import ROOT, BenchError
from bench.load import KEY, KEY_WIDTH, LoadSpec, Seen

_STARTS_WITHIN_SECONDS = 30.0
# The gateway ends a connection on which nothing was asked for a minute.
_IDLE_SECONDS = 30.0
ACCEPTED = "202"


def order_body(key: str, **changes: Any) -> dict[str, Any]:
    """An order; names of `split_config` go there."""
    split = {"num_splits": 5, "duration_minutes": 60, "randomize": True}
    order: dict[str, Any] = {
        "order_unique_key": key,
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 1000,
        "split_config": split,
    }
    for name, value in changes.items():
        (split if name in split else order)[name] = value
    return order


def tomorrow() -> str:
    """A start that leaves the slices of an order alone for as long as a benchmark takes."""
    return instant(datetime.now(UTC) + timedelta(days=1))


def instant(at: datetime) -> str:
    """As the API writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_request(token: str, body: dict[str, Any]) -> str:
    """A whole HTTP request. A body whose key is KEY has its length right once the key is filled in."""
    text = json.dumps(body)
    length = len(text) + (KEY_WIDTH - len(KEY) if KEY in text else 0)
    return (
        f"POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
    )


def load_orders(
    port: int,
    tokens: Sequence[str],
    connections: int,
    seconds: float,
    most: int = 0,
    each: Sequence[Mapping[str, Any]] = (),
    **order: Any,
) -> Seen:
    """Keep so many connections busy with new orders. Raises BenchError when any of them is not accepted.

    Tokens, and what `each` order has of its own, are given to the connections in turn.
    """
    own = each or [{}]
    turns = range(max(len(tokens), len(own)))
    requests = [
        order_request(tokens[turn % len(tokens)], order_body(KEY, **order, **own[turn % len(own)])) for turn in turns
    ]
    return load(LoadSpec(port, connections, seconds, requests, f"b{secrets.token_hex(4)}-", most))


def load(spec: LoadSpec) -> Seen:
    """Run the generator in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(spec)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        process_group=0,
        check=False,
        timeout=spec.seconds + _STARTS_WITHIN_SECONDS,
    )
    if ran.returncode:
        raise BenchError(f"the load generator failed: {ran.stderr.strip().splitlines()[-1]}")
    seen = Seen(**json.loads(ran.stdout))
    if seen.broken or seen.unanswered or set(seen.statuses) != {ACCEPTED}:
        raise BenchError(f"answers: {seen.statuses}, none: {seen.unanswered}, connections broken: {seen.broken}")
    return seen


class Client:
    """One connection to the gateway, for what is asked one by one; made anew after a while without a question."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._asked_at = time.monotonic()

    def place(self, **order: Any) -> str:
        """The id of a new order."""
        body = order_body(secrets.token_hex(12), **order)
        return str(self.ask("POST", "/api/orders", body)["order_id"])

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer's JSON. Raises BenchError for any status but 2xx."""
        content = None if body is None else json.dumps(body)
        if time.monotonic() > self._asked_at + _IDLE_SECONDS:
            self._connection.close()
        self._asked_at = time.monotonic()
        self._connection.request(method, path, content, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise BenchError(f"{method} {path}: {answer.status} {text[:200]!r}")
        found: dict[str, Any] = json.loads(text) if text else {}
        return found
