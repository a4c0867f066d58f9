"""Sends tasks of the floor: `python -m bench.floor_publish` reads `[[send_at, eta], ...]` as JSON from stdin.

Both are seconds since the epoch, in the order of `send_at`; an eta of null means at once.
"""

import json
import sys
import time
from datetime import UTC, datetime

from bench.floor_celery import app, nothing

_MOST_AT_ONCE = 500


def main() -> None:
    plan: list[tuple[float, float | None]] = json.load(sys.stdin)
    while plan:
        time.sleep(max(plan[0][0] - time.time(), 0))
        now = time.time()
        due = [eta for send_at, eta in plan[:_MOST_AT_ONCE] if send_at <= now]
        _send(due)
        del plan[: len(due)]


def _send(etas: list[float | None]) -> None:
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for eta in etas:
            at = None if eta is None else datetime.fromtimestamp(eta, UTC)
            nothing.apply_async((eta or time.time(),), eta=at, producer=producer)


if __name__ == "__main__":
    main()
