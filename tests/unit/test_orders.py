"""The rules a new order must keep to, each with the code and the details that say what was broken."""

from dataclasses import replace

import pytest

from api_contract.errors import InvalidInstrument, InvalidQuantity, InvalidRequest, InvalidSplitConfig
from api_contract.order_rules import NewOrder, check_new_order
from api_contract.vocabulary import Side

GOOD = NewOrder("my-order-1", "NSE:RELIANCE", Side.BUY, 100, 5, 60)
EXCHANGES = frozenset({"NSE", "BSE"})


@pytest.mark.parametrize(
    "accepted",
    [
        {"order_unique_key": " "},
        {"order_unique_key": "~" * 64},
        {"instrument": "BSE:M&M"},
        {"instrument": "NSE:BAJAJ-AUTO"},
        {"instrument": "NSE:" + "A" * 32},
        {"total_quantity": 10**9},
        {"total_quantity": 5},
        {"total_quantity": 2, "num_splits": 2},
        {"num_splits": 100},
        {"duration_minutes": 1},
        {"duration_minutes": 1440},
    ],
)
def test_an_order_at_the_edge_of_the_rules_is_accepted(accepted: dict[str, object]) -> None:
    check_new_order(replace(GOOD, **accepted), EXCHANGES)


@pytest.mark.parametrize("key", ["", "k" * 65, "tab\t", "nul\x00", "naïve", "line\n", "٣"])
def test_a_unique_key_is_one_to_64_printable_ascii_characters(key: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_new_order(replace(GOOD, order_unique_key=key), EXCHANGES)

    assert refusal.value.code == "INVALID_REQUEST"
    assert refusal.value.details["field"] == "order_unique_key"


@pytest.mark.parametrize(
    "instrument",
    ["", "RELIANCE", "NSE:", ":RELIANCE", "NSE:reliance", "NSE:A B", "NSE:" + "A" * 33, "NSE:A\n", "NSE:A:B", "NSE:٣"],
)
def test_an_instrument_is_an_exchange_and_a_symbol(instrument: str) -> None:
    with pytest.raises(InvalidInstrument) as refusal:
        check_new_order(replace(GOOD, instrument=instrument), EXCHANGES)

    assert refusal.value.code == "INVALID_INSTRUMENT"
    assert refusal.value.details["expected_format"] == "EXCHANGE:SYMBOL"


def test_an_exchange_that_is_not_configured_is_refused_and_the_configured_ones_are_named() -> None:
    with pytest.raises(InvalidInstrument, match="an exchange of") as refusal:
        check_new_order(replace(GOOD, instrument="NYSE:IBM"), EXCHANGES)

    assert refusal.value.details["exchanges"] == ["BSE", "NSE"]


@pytest.mark.parametrize("quantity", [0, -1, 10**9 + 1, 10**400])
def test_a_quantity_out_of_range_is_refused_with_the_range(quantity: int) -> None:
    with pytest.raises(InvalidQuantity) as refusal:
        check_new_order(replace(GOOD, total_quantity=quantity), EXCHANGES)

    stated = {"total_quantity": quantity, "num_splits": 5}
    assert refusal.value.details == {"field": "total_quantity", **stated, "min": 1, "max": 10**9}


def test_fewer_shares_than_slices_are_refused() -> None:
    with pytest.raises(InvalidQuantity) as refusal:
        check_new_order(replace(GOOD, total_quantity=4), EXCHANGES)

    assert (refusal.value.code, refusal.value.details["min"]) == ("INVALID_QUANTITY", 5)


@pytest.mark.parametrize("num_splits", [-1, 0, 1, 101])
def test_the_number_of_slices_is_from_2_to_100(num_splits: int) -> None:
    with pytest.raises(InvalidSplitConfig) as refusal:
        check_new_order(replace(GOOD, num_splits=num_splits), EXCHANGES)

    assert refusal.value.details == {
        "field": "split_config.num_splits", "num_splits": num_splits, "min": 2, "max": 100,
    }  # fmt: skip


@pytest.mark.parametrize("minutes", [-1, 0, 1441])
def test_the_window_is_from_a_minute_to_a_day(minutes: int) -> None:
    with pytest.raises(InvalidSplitConfig) as refusal:
        check_new_order(replace(GOOD, duration_minutes=minutes), EXCHANGES)

    assert refusal.value.details == {
        "field": "split_config.duration_minutes", "duration_minutes": minutes, "min": 1, "max": 1440,
    }  # fmt: skip
