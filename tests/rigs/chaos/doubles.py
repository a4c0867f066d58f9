"""The dearest doubts, a hundred times each on a stack with default settings: `python -m tests.rigs.chaos.doubles`.

Answers are lost while the book shows orders 35 s late, and orders are accepted 22 s after they arrived, when nobody
waits for an answer any more. Each slice must be filled once.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import psycopg2
import requests

from tests.support.processes import wait_until
from tests.support.stacks import PULSE, Stack, environment_for, running_stack

SLICES = 100
SHARES = 10 * SLICES
LATE_BOOK, LATE_ACCEPTANCE = "NSE:INFY", "NSE:TCS"
RULES = (
    {"fault": "ack_lost", "instrument": LATE_BOOK, "probability": 0.7},
    {"fault": "book_delay", "instrument": LATE_BOOK, "seconds": 35},
    {"fault": "slow_accept", "instrument": LATE_ACCEPTANCE, "seconds": 22},
)
# The window, the settle delay, a deadline and what a busy machine adds.
LONGEST = 420.0
FINAL = "SELECT count(*) = 2 FROM orders WHERE status IN ('DONE', 'CANCELLED', 'SKIPPED')"
RESULTS = """
    SELECT o.instrument, o.status, o.filled_quantity, (SELECT count(*) FROM order_slices s WHERE s.order_id = o.id),
        (SELECT count(*) FROM placements p JOIN order_slices s ON s.id = p.slice_id WHERE s.order_id = o.id)
    FROM orders o ORDER BY o.instrument
"""


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pulse-doubles-") as folder:
        data_dir = Path(folder) / "stack"
        with running_stack(data_dir, environment_for(data_dir)) as stack:
            found = carry_out(stack)
    click.echo(json.dumps(found, indent=2))
    sys.exit(bool(found["violations"]))


def carry_out(stack: Stack) -> dict[str, Any]:
    """Place both orders, wait until they have ended, and judge."""
    with requests.Session() as http:
        http.trust_env = False
        scenario = f"{stack.state.urls['exchange']}/_paper/scenario"
        http.put(scenario, json={"rules": RULES}, timeout=5).raise_for_status()
        for instrument in (LATE_BOOK, LATE_ACCEPTANCE):
            _place(http, stack, instrument)
    url = stack.state.environment["DATABASE_URL"]
    wait_until(lambda: _rows(url, FINAL) == [(True,)], LONGEST, "the end of both orders")
    # The last trades are booked by a sweep that runs twice a minute.
    time.sleep(35)
    judged = subprocess.run(
        (PULSE, "verify", "--final", "--json", "--data-dir", str(stack.data_dir)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    names = ("instrument", "status", "filled", "slices", "attempts")
    orders = [dict(zip(names, row, strict=True)) for row in _rows(url, RESULTS)]
    twice = [one for one in orders if one["filled"] != SHARES]
    return {"orders": orders, "violations": json.loads(judged.stdout)["violations"] + twice}


def _place(http: requests.Session, stack: Stack, instrument: str) -> None:
    who = {"username": stack.state.demo_user, "password": stack.state.demo_password}
    token = http.post(f"{stack.gapi}/api/auth/login", json=who, timeout=10).json()["access_token"]
    order = {
        "order_unique_key": f"doubles-{instrument}".replace(":", "-"),
        "instrument": instrument,
        "side": "BUY",
        "total_quantity": SHARES,
        "split_config": {"num_splits": SLICES, "duration_minutes": 1},
    }
    headers = {"Authorization": f"Bearer {token}"}
    http.post(f"{stack.gapi}/api/orders", json=order, headers=headers, timeout=10).raise_for_status()


def _rows(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


if __name__ == "__main__":
    main()
