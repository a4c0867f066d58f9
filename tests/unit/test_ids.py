"""Ids say what they name, and keep to the broker's alphabet."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from pulse_core.domain import ids

BITS = st.integers(0, 2**100 - 1)


@given(BITS)
def test_a_client_order_id_is_twenty_characters_that_every_broker_takes(random_bits: int) -> None:
    assert re.fullmatch(r"[A-Z0-9]{20}", ids.client_order_id(random_bits))


@given(BITS, BITS)
def test_different_bits_give_different_client_order_ids(one: int, other: int) -> None:
    assert (ids.client_order_id(one) == ids.client_order_id(other)) == (one == other)


@pytest.mark.parametrize(("make", "prefix"), [(ids.order_id, "ord_"), (ids.slice_id, "sl_"), (ids.account_id, "acc_")])
def test_an_id_says_what_it_names_and_sorts_by_time(make: Callable[[ULID], str], prefix: str) -> None:
    earlier, later = (make(ULID.from_timestamp(second)) for second in (1_800_000_000.001, 1_800_000_000.002))

    assert re.fullmatch(prefix + "[0-9A-HJKMNP-TV-Z]{26}", earlier)
    assert earlier < later
