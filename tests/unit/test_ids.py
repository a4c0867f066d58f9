"""Ids say what they name, and keep to the broker's alphabet."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from pulse_core.domain import ids

SLICE = "sl_01M83H8RHMTHDRXSMTYCVNSZW0"


@given(st.binary(min_size=32, max_size=32), st.integers(1, 1000))
def test_a_client_order_id_is_twenty_characters_that_every_broker_takes(key: bytes, attempt: int) -> None:
    assert re.fullmatch(r"[A-Z0-9]{20}", ids.client_order_id(key, SLICE, attempt))


def test_a_client_order_id_follows_from_key_slice_and_attempt_alone() -> None:
    made = [
        ids.client_order_id(key, slice_id, attempt)
        for key in (b"one key", b"another")
        for slice_id in (SLICE, SLICE[:-1] + "1")
        for attempt in (1, 2, 11)
    ]

    assert len(set(made)) == 12
    assert ids.client_order_id(b"one key", SLICE, 1) == made[0]


@pytest.mark.parametrize(("make", "prefix"), [(ids.order_id, "ord_"), (ids.slice_id, "sl_"), (ids.account_id, "acc_")])
def test_an_id_says_what_it_names_and_sorts_by_time(make: Callable[[ULID], str], prefix: str) -> None:
    earlier, later = (make(ULID.from_timestamp(second)) for second in (1_800_000_000.001, 1_800_000_000.002))

    assert re.fullmatch(prefix + "[0-9A-HJKMNP-TV-Z]{26}", earlier)
    assert earlier < later
