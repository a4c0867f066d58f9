"""The demo's comparison with the exchange's ledger finds what differs, and only that."""

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from pulse_client.order_models import Order, Slice
from pulse_ops.cli.ledger_check import LedgerCheck, check_against_ledger
from pulse_ops.paper_exchange.schema import open_for_writing
from tests.support.gateway import FILLED, order_answer, slice_answer

SCHEDULED_US = 1_772_424_000_000_000
TAGS = {number: [f"TAG{number}"] for number in range(1, 6)}
Check = Callable[..., LedgerCheck]

_ORDER = """INSERT INTO orders (order_id, day, tag, exchange, tradingsymbol, transaction_type, quantity, product,
    order_type, validity, status, filled_quantity, filled_value, placed_at, updated_at, visible_at)
    VALUES (?, '2026-03-02', ?, 'NSE', 'RELIANCE', ?, ?, 'CNC', 'MARKET', 'DAY', 'COMPLETE', ?, ?, ?, ?, ?)"""
_TRADE = "INSERT INTO trades (trade_id, order_id, quantity, price, traded_at) VALUES (?, ?, ?, ?, ?)"
_ARRIVAL = """INSERT INTO arrivals (arrived_at, tag, instrument, side, quantity, outcome, faults, order_id)
    VALUES (?, ?, 'NSE:RELIANCE', 'BUY', ?, 'ACCEPTED', '', ?)"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with the five fills of 20 shares at 1402.35 that `FILLED` speaks of."""
    path = tmp_path / "ledger.sqlite"
    for number in range(1, 6):
        add_to_ledger(path, f"26030200000000{number}", f"TAG{number}", late_us=number * 10_000)
    return path


@pytest.fixture
def check(path: Path) -> Check:
    def run(tags: dict[int, list[str]] = TAGS, first: dict[str, object] | None = None, **order: object) -> LedgerCheck:
        slices = [slice_answer(1, **(first or {})), *(slice_answer(number) for number in range(2, 6))]
        answer = Order.read(order_answer(1, **FILLED | order))
        return check_against_ledger(answer, [Slice.read(one) for one in slices], tags, path)

    return run


def add_to_ledger(
    path: Path, order_id: str, tag: str, quantity: int = 20, paise: int = 140_235, side: str = "BUY", late_us: int = 0
) -> None:
    at = SCHEDULED_US + late_us
    with closing(open_for_writing(path)) as ledger:
        ledger.execute(_ORDER, (order_id, tag, side, quantity, quantity, quantity * paise, at, at, at))
        ledger.execute(_TRADE, (f"T{order_id}", order_id, quantity, paise, at))
        ledger.execute(_ARRIVAL, (at, tag, str(quantity), order_id))


def test_what_agrees_has_no_differences(check: Check) -> None:
    found = check()
    assert found.differences == []
    assert (found.quantity, found.value) == (100, Decimal("140235.00"))


def test_lateness_is_measured_at_the_exchange(check: Check) -> None:
    found = check()
    assert found.late_ms == [10, 20, 30, 40, 50]
    assert found.median_late_ms == 30


def test_a_share_too_many_or_too_few_is_found(check: Check) -> None:
    found = check(first={"filled_quantity": 19}, filled_quantity=99)
    assert found.differences == [
        "slice 1: Pulse says 19 filled, the exchange 20",
        "the order: Pulse says 99 filled, the exchange 100",
    ]


def test_a_paisa_too_much_is_found(check: Check) -> None:
    found = check(first={"average_price": "1402.3505"})
    assert found.differences == ["slice 1: Pulse says 1402.3505 on average, the exchange 1402.3500"]


def test_an_average_that_is_rounded_to_four_decimals_agrees(path: Path, check: Check) -> None:
    add_to_ledger(path, "more", "MORE", quantity=10, paise=140_230)
    rounded = {"filled_quantity": 30, "quantity": 30, "average_price": "1402.3333"}
    found = check({**TAGS, 1: ["TAG1", "MORE"]}, first=rounded, filled_quantity=110, average_price="1402.3455")
    assert found.differences == []


def test_a_slice_placed_twice_is_found(path: Path, check: Check) -> None:
    add_to_ledger(path, "260302000000009", "AGAIN1")
    found = check({**TAGS, 1: ["TAG1", "AGAIN1"]})
    assert "slice 1: Pulse says 20 filled, the exchange 40" in found.differences


def test_an_order_that_the_exchange_never_had_is_found(check: Check) -> None:
    found = check({**TAGS, 1: ["NEVER"]})
    assert found.differences[0] == "slice 1: the exchange has no order 260302000000001"


def test_the_wrong_side_is_found(path: Path, check: Check) -> None:
    add_to_ledger(path, "sold", "SOLD", side="SELL")
    found = check({**TAGS, 1: ["SOLD"]}, first={"broker_order_id": "sold"})
    assert found.differences == ["slice 1: the exchange has SELL NSE:RELIANCE as sold"]


def test_prices_are_compared_for_the_order_too(check: Check) -> None:
    found = check(average_price="1402.36")
    assert found.differences == ["the order: Pulse says 1402.36 on average, the exchange 1402.3500"]
