"""Two broker accounts and real workers: while the broker of one hangs, the other's orders are worked to their end."""

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import config
from pulse_core.broker_accounts import credentials, directory, grants
from pulse_core.clock import utcnow
from pulse_core.markets import hours
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from tests.support import servers
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.factories import a_split_order, an_account, order, slices_of, without_pace
from tests.support.processes import Processes, wait_until

LIVE = "zerodha"
# More than a worker has threads, after the first ones.
SLICES = 40
FIRST = 2
HALF_OF_THE_THREADS = 16
PATIENCE = 60
# No hours of its exchange are known, so it is traded at any time.
UNLISTED = "MCX:GOLDM"
SETTINGS = {
    "PULSE_BROKER": LIVE,
    "PULSE_EXCHANGES": "MCX",
    "PULSE_BROKER_TIMEOUT": "60",
    "PULSE_LEASE": "130",
    "KITE_API_KEY": API_KEY,
    "KITE_ACCESS_TOKEN": ACCESS_TOKEN,
    "KITE_API_SECRET": API_SECRET,
}


@dataclass
class Floor:
    paper: RunningExchange
    live: RunningExchange
    trader: str

    def order(self, broker_account: str, num_splits: int) -> str:
        changes = {"broker_account": broker_account, "instrument": UNLISTED, "total_quantity": num_splits}
        return a_split_order(account_id=self.trader, num_splits=num_splits, duration_minutes=60, **changes)


# The limit of a second and of a minute, and after how long a slices worker helps itself: in turns not before beat asks.
@pytest.fixture(params=[("0", "1"), ("100", "5")], ids=["without-limits", "in-turns"])
def floor(
    clean_database: str,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Floor]:
    folders = [tmp_path / name for name in ("paper", "live")]
    for folder in folders:
        folder.mkdir()
    on_paper = ["--no-strict", "--api-key", "paper", "--access-token", "paper"]
    with (
        start_exchange(folders[0], more=on_paper) as paper,
        start_exchange(folders[1], more=["--no-strict"]) as live,
    ):
        limit, overdue_after = request.param
        limits = dict.fromkeys(("PULSE_BROKER_ORDERS_PER_SECOND", "PULSE_BROKER_ORDERS_PER_MINUTE"), limit)
        given = (
            SETTINGS
            | limits
            | {"PULSE_OVERDUE_AFTER": overdue_after}
            | {"PULSE_PAPER_EXCHANGE_URL": paper.url, "KITE_ROOT_URL": live.url}
        )
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        forget()
        processes = Processes(tmp_path, {**environment, **given})
        trader = an_account()
        directory.accounts_known()
        grants.grant(LIVE, trader, "the test", utcnow())
        try:
            processes.worker_control()
            processes.worker_slices()
            processes.beat()
            yield Floor(paper, live, trader)
        finally:
            live.signal(signal.SIGCONT)
            processes.close()
            monkeypatch.undo()
            forget()


def forget() -> None:
    config.settings.cache_clear()
    credentials.forget()
    directory.forget()
    hours.forget()


def due_from_now_on(order_id: str) -> None:
    """Fifty a second, each by itself, and as many of them at once as come."""
    without_pace(order_id)
    due = "clock_timestamp() + interval '1 s' + sequence_number * interval '20 ms'"
    with servers.as_owner() as owner:
        owner.execute(
            text(
                f"UPDATE order_slices SET turn_at = NULL, hinted_until = NULL, scheduled_at = {due}, due_at = {due}"
                " WHERE order_id = :order_id"
            ),
            {"order_id": order_id},
        )


def statuses(order_id: str) -> Counter[SliceStatus]:
    return Counter(one.status for one in slices_of(order_id))


def placed(exchange: RunningExchange) -> Counter[str]:
    with exchange.ledger() as ledger:
        return Counter(one.tag or "" for one in ledger.orders())


def test_while_one_broker_hangs_the_other_account_is_worked_to_the_end_and_nothing_is_lost(floor: Floor) -> None:
    first = [floor.order(name, FIRST) for name in ("paper", LIVE)]
    for order_id in first:
        due_from_now_on(order_id)
    wait_until(lambda: all(order(one).status is OrderStatus.DONE for one in first), PATIENCE, "an order of each")
    here, there = floor.order("paper", SLICES), floor.order(LIVE, SLICES)

    floor.live.signal(signal.SIGSTOP)
    due_from_now_on(there)
    dispatch_due_slices(utcnow())
    wait_until(lambda: statuses(there)[SliceStatus.SENDING] >= HALF_OF_THE_THREADS, PATIENCE, "threads that hang")
    due_from_now_on(here)
    wait_until(lambda: order(here).status is OrderStatus.DONE, PATIENCE, "the end of the other account's order")

    # Not one call had come back by then, and there was a part of the threads that it could not take.
    assert statuses(there) == {
        SliceStatus.SENDING: HALF_OF_THE_THREADS,
        SliceStatus.SCHEDULED: SLICES - HALF_OF_THE_THREADS,
    }
    assert statuses(here) == {SliceStatus.FILLED: SLICES}
    floor.live.signal(signal.SIGCONT)
    wait_until(lambda: order(there).status is OrderStatus.DONE, PATIENCE, "the end of the order that hung")
    for order_id, exchange in ((here, floor.paper), (there, floor.live)):
        own = slices_of(order_id)
        assert [one.attempts for one in own] == [1] * SLICES
        assert statuses(order_id) == {SliceStatus.FILLED: SLICES}
        assert len(placed(exchange)) == SLICES + FIRST
        assert set(placed(exchange).values()) == {1}
