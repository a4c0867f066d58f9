"""Ids say what they name, and keep to the broker's alphabet."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from api_contract.ids import (
    ACCOUNT_ID,
    KEY_ID,
    ORDER_ID,
    SESSION_ID,
    SLICE_ID,
    account_id,
    api_key_id,
    order_id,
    session_id,
    slice_id,
)
from pulse_core.trading import client_order_ids

KEYS = st.binary(min_size=32, max_size=32)
ATTEMPTS = st.tuples(st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26), st.integers(1, 100))
ONE_KEY, OTHER_KEY = bytes(32), bytes([1] * 32)


@given(KEYS, ATTEMPTS)
def test_a_client_order_id_is_twenty_characters_that_every_broker_takes(key: bytes, attempt: tuple[str, int]) -> None:
    assert re.fullmatch(r"[A-Z0-9]{20}", client_order_ids.client_order_id(key, *attempt))


@given(ATTEMPTS, ATTEMPTS)
def test_each_attempt_has_one_client_order_id_of_its_own(one: tuple[str, int], other: tuple[str, int]) -> None:
    of_one, of_other = (
        client_order_ids.client_order_id(ONE_KEY, *one),
        client_order_ids.client_order_id(ONE_KEY, *other),
    )

    assert (of_one == of_other) == (one == other)


@given(ATTEMPTS)
def test_a_client_order_id_shows_which_installation_it_is_from_and_nobody_else_has_it(attempt: tuple[str, int]) -> None:
    of_one, of_other = (client_order_ids.client_order_id(key, *attempt) for key in (ONE_KEY, OTHER_KEY))

    assert of_one.startswith(client_order_ids.installation_mark(ONE_KEY))
    assert of_one[:4] != of_other[:4]
    assert of_one[4:] != of_other[4:]


def test_the_client_order_id_of_an_attempt_never_changes() -> None:
    assert client_order_ids.client_order_id(ONE_KEY, "sl_01KB00000000000000000000", 1) == "JFH31AJRBS8YR5C6R7A6"


@pytest.mark.parametrize(
    ("make", "pattern"),
    [
        (order_id, ORDER_ID),
        (slice_id, SLICE_ID),
        (account_id, ACCOUNT_ID),
        (session_id, SESSION_ID),
        (api_key_id, KEY_ID),
    ],
)
def test_an_id_says_what_it_names_and_sorts_by_time(make: Callable[[ULID], str], pattern: re.Pattern[str]) -> None:
    earlier, later = (make(ULID.from_timestamp(second)) for second in (1_800_000_000.001, 1_800_000_000.002))

    assert pattern.fullmatch(earlier)
    assert pattern.fullmatch(make(ULID.from_int(2**128 - 1)))
    assert earlier < later


@pytest.mark.parametrize("changed", ["acc_8" + "0" * 25, "acc_0" + "I" * 25, "acc_0" + "a" * 25, "acc_" + "0" * 27])
def test_what_no_ulid_can_be_is_no_id(changed: str) -> None:
    assert not ACCOUNT_ID.fullmatch(changed)
