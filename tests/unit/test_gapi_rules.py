"""The gateway and the core state the same rules apart, so that they can be deployed apart: they must agree."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gapi_app
import pulse_app
from gapi_app import rules
from gapi_app.errors import ApiError
from pulse_core.domain.enums import Side
from pulse_core.domain.errors import PulseError
from pulse_core.domain.orders import NewOrder, check_new_order
from pulse_core.domain.settlement import Settlement, check_settlement

EXCHANGES = frozenset({"NSE", "BSE"})


def near(*limits: int) -> st.SearchStrategy[int]:
    return st.sampled_from([limit + step for limit in limits for step in (-1, 0, 1)]) | st.integers()


@settings(max_examples=400)
@given(
    key=st.text(max_size=3) | st.text("ab \x7f", min_size=62, max_size=66),
    instrument=st.from_regex(r"[A-Z]{0,3}:?[A-Za-z0-9&-]{0,4}")
    | st.from_regex(rules.INSTRUMENT, fullmatch=True)
    | st.sampled_from(["NSE:TCS", "BSE:M&M", "NSE:" + "A" * 33]),
    quantity=near(1, 2, 100, 10**9),
    splits=near(2, 100),
    minutes=near(1, 1440),
)
def test_both_refuse_the_same_orders_with_the_same_words(
    key: str, instrument: str, quantity: int, splits: int, minutes: int
) -> None:
    body = {
        "order_unique_key": key,
        "instrument": instrument,
        "total_quantity": quantity,
        "split_config": {"num_splits": splits, "duration_minutes": minutes},
    }
    order = NewOrder(key, instrument, Side.BUY, quantity, splits, minutes)
    assert _refusal(rules.check_new_order, body) == _refusal(check_new_order, order)


@settings(max_examples=400)
@given(
    filled=st.none() | near(1, 10**9),
    price=st.none() | st.sampled_from(["0", "0.0001", "0.00001", "2500.05", "10000000", "10000000.0001", "12.34567"]),
    absent=st.booleans(),
    reason=st.sampled_from(["", " ", "not in the tradebook", "two\nlines", "x" * 200, "x" * 201]),
)
def test_both_refuse_the_same_settlements_with_the_same_words(
    filled: int | None, price: str | None, absent: bool, reason: str
) -> None:
    body = {"filled": filled, "price": price, "absent": absent, "reason": reason}
    said = Settlement(filled, None if price is None else Decimal(price), absent, reason)
    assert _refusal(lambda one, _: rules.check_settlement(one), body) == _refusal(
        lambda one, _: check_settlement(one), said
    )


@pytest.mark.parametrize(
    "name", ["NewOrder", "SplitConfig", "Order", "OrderPage", "Slice", "SliceList", "Exposure", "Settlement"]
)
def test_both_describe_the_same_shapes(name: str) -> None:
    public, internal = (app.openapi()["components"]["schemas"][name] for app in (gapi_app, pulse_app))
    assert public == internal


def _refusal(check: Any, order: Any) -> tuple[str, Any] | None:
    try:
        check(order, EXCHANGES)
    except (ApiError, PulseError) as refused:
        return refused.code, refused.details
    return None
