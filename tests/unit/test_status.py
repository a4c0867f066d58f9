"""The one table of moves: where every status leads, and where it never does."""

from itertools import product

import pytest

from api_contract.vocabulary import FINAL_ORDERS, FINAL_SLICES, OrderResult, OrderStatus, SliceStatus
from pulse_core.errors import IllegalMove
from pulse_core.trading.status import ORDER_MOVES, SLICE_MOVES, check_order_move, check_slice_move, order_result

ILLEGAL_SLICE_MOVES = [(seen, to) for seen, to in product(SliceStatus, repeat=2) if to not in SLICE_MOVES[seen]]
ILLEGAL_ORDER_MOVES = [(seen, to) for seen, to in product(OrderStatus, repeat=2) if to not in ORDER_MOVES[seen]]


def test_every_status_has_its_row_in_the_table() -> None:
    assert set(SLICE_MOVES) == set(SliceStatus)
    assert set(ORDER_MOVES) == set(OrderStatus)


def test_a_final_slice_leads_nowhere_unless_an_operator_retries_it() -> None:
    leading_on = {status: SLICE_MOVES[status] for status in FINAL_SLICES if SLICE_MOVES[status]}

    assert leading_on == {
        SliceStatus.REJECTED: {SliceStatus.SCHEDULED},
        SliceStatus.FAILED: {SliceStatus.SCHEDULED},
    }


def test_a_final_order_leads_nowhere_unless_a_slice_of_it_is_retried() -> None:
    leading_on = {status: ORDER_MOVES[status] for status in FINAL_ORDERS if ORDER_MOVES[status]}

    assert leading_on == {OrderStatus.DONE: {OrderStatus.IN_PROGRESS}}


def test_every_status_that_is_not_final_leads_to_an_end() -> None:
    for status in set(SliceStatus) - FINAL_SLICES:
        assert FINAL_SLICES & reachable(status)


def test_nothing_is_sent_but_from_the_schedule() -> None:
    assert [seen for seen in SliceStatus if SliceStatus.SENDING in SLICE_MOVES[seen]] == [SliceStatus.SCHEDULED]


def test_a_slice_that_may_be_live_is_never_written_off_as_cancelled_or_skipped() -> None:
    for status in (SliceStatus.SENDING, SliceStatus.UNKNOWN):
        assert not SLICE_MOVES[status] & {SliceStatus.CANCELLED, SliceStatus.SKIPPED}


@pytest.mark.parametrize(("seen", "to"), ILLEGAL_SLICE_MOVES)
def test_a_slice_refuses_a_move_that_the_table_does_not_have(seen: SliceStatus, to: SliceStatus) -> None:
    with pytest.raises(IllegalMove, match=f"{seen} to {to}"):
        check_slice_move(seen, to)


@pytest.mark.parametrize(("seen", "to"), ILLEGAL_ORDER_MOVES)
def test_an_order_refuses_a_move_that_the_table_does_not_have(seen: OrderStatus, to: OrderStatus) -> None:
    with pytest.raises(IllegalMove, match=f"{seen} to {to}"):
        check_order_move(seen, to)


def test_every_move_of_the_table_is_allowed() -> None:
    for seen, targets in SLICE_MOVES.items():
        for to in targets:
            check_slice_move(seen, to)
    for order_seen, order_targets in ORDER_MOVES.items():
        for order_to in order_targets:
            check_order_move(order_seen, order_to)


@pytest.mark.parametrize(
    ("filled", "result"),
    [
        (0, OrderResult.UNFILLED),
        (1, OrderResult.PARTIALLY_FILLED),
        (99, OrderResult.PARTIALLY_FILLED),
        (100, OrderResult.FILLED),
        (101, OrderResult.FILLED),
    ],
)
def test_the_result_says_how_much_of_an_order_was_filled(filled: int, result: OrderResult) -> None:
    assert order_result(100, filled) is result


def reachable(status: SliceStatus) -> set[SliceStatus]:
    found: set[SliceStatus] = set()
    ahead = set(SLICE_MOVES[status])
    while ahead:
        found |= ahead
        ahead = {to for one in ahead for to in SLICE_MOVES[one]} - found
    return found
