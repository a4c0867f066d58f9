"""What the exchange has acknowledged, it knows for ever."""

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_contract.vocabulary import Side
from pulse_core.boottime import boottime
from pulse_core.brokers.port import BrokerError, BrokerOrderStatus, NotSent, OutcomeUnknown, Placement
from tests.support.exchange import RunningExchange, start_exchange


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path) as running:
        yield running


def placement() -> Placement:
    return Placement(secrets.token_hex(10).upper(), "NSE:RELIANCE", Side.BUY, 10)


def soon() -> float:
    return boottime() + 10


def test_an_exchange_killed_while_orders_pour_in_keeps_every_acknowledged_one(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    acknowledged: dict[str, str] = {}

    def place_until_it_dies() -> None:
        while True:
            order = placement()
            try:
                acknowledged[order.client_order_id] = broker.place(order, soon())
            except BrokerError:
                return

    threads = [threading.Thread(target=place_until_it_dies) for _ in range(4)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 50:
        time.sleep(0.005)
    exchange.kill()
    for thread in threads:
        thread.join()
    with exchange.ledger() as ledger:
        booked = {order.tag: order.order_id for order in ledger.orders()}
    assert acknowledged.items() <= booked.items()
    with pytest.raises(NotSent):
        broker.place(placement(), soon())
    exchange.restart()
    assert {row.broker_order_id for row in broker.order_book()} == set(booked.values())


def test_ids_are_never_given_again_after_a_restart(exchange: RunningExchange) -> None:
    broker = exchange.broker()
    before = [broker.place(placement(), soon()) for _ in range(3)]
    assert exchange.stop() == 0
    exchange.restart()
    after = [exchange.broker().place(placement(), soon()) for _ in range(3)]
    with exchange.ledger() as ledger:
        trades = [trade.trade_id for trade in ledger.trades()]
    assert len({*before, *after}) == 6
    assert len(set(trades)) == 6


def test_a_ledger_that_is_none_ends_the_exchange_with_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_text("this is no database, however long the file may be")
    command = [sys.executable, "-m", "pulse_ops.paper_exchange", "--port", "0", "--ledger", str(broken)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("Error: cannot open the ledger")


def test_planned_fills_and_what_is_left_of_a_scenario_survive_a_restart(exchange: RunningExchange) -> None:
    exchange.set_faults({"fault": "ack_lost", "count": 2}, {"fault": "open_pending", "seconds": 1})
    first, second, third = placement(), placement(), placement()
    with pytest.raises(OutcomeUnknown):
        exchange.broker().place(first, soon())
    exchange.restart()
    with pytest.raises(OutcomeUnknown):
        exchange.broker().place(second, soon())
    exchange.broker().place(third, soon())
    deadline = time.monotonic() + 15
    while any(row.status is not BrokerOrderStatus.COMPLETE for row in exchange.broker().order_book()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with exchange.ledger() as ledger:
        assert [order.filled_quantity for order in ledger.orders()] == [10, 10, 10]
