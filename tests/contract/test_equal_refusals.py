"""What is wrong with an order, the gateway and pulse say in the same words, whichever of them sees it first."""

from dataclasses import fields
from typing import Any

import pytest

from api_contract.order_rules import NewOrder
from tests.contract.client import Account, Service, new_order

WRONG: dict[str, list[dict[str, Any]]] = {
    "order_unique_key": [{"order_unique_key": "two\nlines"}, {"order_unique_key": "k" * 65}, {"order_unique_key": 7}],
    "instrument": [
        {"instrument": "RELIANCE"},
        {"instrument": "NYSE:IBM"},
        {"instrument": "NSE:" + "A" * 33},
        {"instrument": ["NSE:TCS"]},
    ],
    "side": [{"side": "HOLD"}, {"side": "buy"}, {"side": 1}],
    "total_quantity": [{"total_quantity": 0}, {"total_quantity": 4}, {"total_quantity": 10**9 + 1}],
    "num_splits": [{"num_splits": 1}, {"num_splits": 101}, {"num_splits": "5"}],
    "duration_minutes": [{"duration_minutes": 0}, {"duration_minutes": 1441}, {"duration_minutes": 1.5}],
    "until_close": [{"until_close": True}, {"until_close": 1}, {"duration_minutes": None}],
    "randomize": [{"randomize": 1}],
    "order_type": [{"order_type": "STOP"}, {"order_type": "LIMIT"}, {"order_type": 5}],
    "limit_price": [
        {"limit_price": "100"},
        {"limit_price": 100.5, "order_type": "LIMIT"},
        {"limit_price": "0.001", "order_type": "LIMIT"},
        {"limit_price": "10000000.01", "order_type": "LIMIT"},
        {"limit_price": "1e3", "order_type": "LIMIT"},
    ],
    "start_at": [{"start_at": "tomorrow"}, {"start_at": "2020-01-01T00:00:00Z"}, {"start_at": 1_800_000_000}],
    "session": [{"session": "later"}, {"session": 1}],
    "product": [{"product": "BO"}, {"product": 3}],
    "slice_timeout_seconds": [{"slice_timeout_seconds": 0}, {"slice_timeout_seconds": 3601}],
    "broker_account": [{"broker_account": "Zerodha"}, {"broker_account": "x" * 21}, {"broker_account": 7}],
    "plan_token": [{"plan_token": ""}, {"plan_token": "a\x00b"}, {"plan_token": "A" * 4097}, {"plan_token": 7}],
    "catch_up": [{"catch_up": "soon"}, {"catch_up": 1}],
    "max_slice_multiple": [{"max_slice_multiple": 0}, {"max_slice_multiple": 11}, {"max_slice_multiple": "3"}],
    "extend_minutes": [{"extend_minutes": -1}, {"extend_minutes": 1441}, {"extend_minutes": 0.5}],
    "leftover": [{"leftover": "keep"}, {"leftover": True}],
    "at_end": [{"at_end": "limit"}, {"at_end": []}],
    "client_note": [{"client_note": "x" * 201}, {"client_note": "two\nlines"}, {"client_note": 5}],
}


def test_every_field_of_an_order_is_among_them() -> None:
    assert WRONG.keys() == {one.name for one in fields(NewOrder)}


@pytest.mark.parametrize("wrong", [one for many in WRONG.values() for one in many], ids=str)
def test_both_refuse_an_order_with_the_same_words(
    gapi: Service, pulse: Service, trader: Account, wrong: dict[str, Any]
) -> None:
    order = new_order(**wrong)
    public, internal = (one.send("POST", one.orders, trader, json=order) for one in (gapi, pulse))
    assert (public.status_code, public.json()["error"]) == (400, internal.json()["error"])
    assert internal.status_code == 400
