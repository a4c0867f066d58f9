"""Every event has a name, somebody who made it happen, and a reason."""

from itertools import product

import pytest

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.events.names import EventKind, event_actor, event_reason, event_type
from pulse_core.trading.status import ORDER_MOVES, SLICE_MOVES

SLICE, ACCOUNT = "sl_1", "acc_1"


@pytest.mark.parametrize(
    ("kind", "slice_id", "to_status", "name"),
    [
        (EventKind.MOVE, SLICE, "FILLED", "slice.filled"),
        (EventKind.MOVE, None, "DONE", "order.done"),
        (EventKind.FILL, SLICE, None, "slice.fill"),
        (EventKind.BROKER_CALL, SLICE, None, "slice.broker_call"),
        (EventKind.REQUEST, None, None, "order.request"),
        (EventKind.ALARM, SLICE, None, "order.alarm"),
        (EventKind.ALARM, None, None, "order.alarm"),
    ],
)
def test_an_event_is_named_after_what_it_is_about(
    kind: EventKind, slice_id: str | None, to_status: str | None, name: str
) -> None:
    assert event_type(kind, slice_id, to_status) == name


def test_every_move_of_the_tables_has_a_reason() -> None:
    for slice_id, moves in ((SLICE, SLICE_MOVES), (None, ORDER_MOVES)):
        for seen, targets in moves.items():
            for to in targets:
                assert event_reason(EventKind.MOVE, slice_id, to, {}), (seen, to)
    assert event_reason(EventKind.MOVE, None, OrderStatus.PENDING, {})


def test_a_stated_reason_comes_before_a_general_one() -> None:
    rejected = {"error_code": "BROKER_REJECTED", "error_message": "no margin"}

    assert event_reason(EventKind.MOVE, SLICE, SliceStatus.REJECTED, rejected) == "no margin"
    assert event_reason(EventKind.MOVE, None, OrderStatus.SKIPPED, {"skip_reason": "no room"}) == "no room"
    assert event_reason(EventKind.ALARM, None, None, {"alarm": "order overfilled"}) == "order overfilled"


def test_a_note_that_is_taken_away_was_changed_to_none() -> None:
    detail = {"field": "client_note", "before": "hedge", "after": None}

    assert event_reason(EventKind.AMENDED, None, None, detail) == "client_note was changed from hedge to none"


def test_who_asked_is_the_actor_else_the_client_the_broker_or_pulse() -> None:
    def actor(kind: EventKind, seen: str | None = None, to: str | None = None, **detail: str) -> str:
        return event_actor(kind, seen, to, detail, ACCOUNT)

    assert actor(EventKind.REQUEST, actor="acc_2") == "acc_2"
    assert actor(EventKind.MOVE, None, "PENDING") == ACCOUNT
    assert actor(EventKind.FILL) == "broker"
    assert actor(EventKind.MOVE, "WORKING", "FILLED") == "broker"
    assert actor(EventKind.MOVE, "SCHEDULED", "SENDING") == "pulse"


def test_every_kind_of_event_is_named_and_explained() -> None:
    for kind, slice_id in product(EventKind, (SLICE, None)):
        to = None if kind is not EventKind.MOVE else SliceStatus.CANCELLED
        detail = {"request": "pause", "call": "place", "answer": "yes", "quantity": "5", "alarm": "overfilled"}
        detail |= {"reason": "FUNDS", "cause": "RESUMED", "field": "client_note", "before": None, "after": "hedge"}

        assert "None" not in event_type(kind, slice_id, to) + event_reason(kind, slice_id, to, detail)
