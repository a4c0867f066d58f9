"""What still works past its deadline, or for a cancelled order, is called back until the book shows its end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pulse_core import db
from pulse_core.brokers.base import OutcomeUnknown
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.domain.enums import CancelReason, EventKind, OrderResult, OrderStatus, SliceStatus
from pulse_core.models import OrderSlice, SliceEvent
from pulse_core.repositories import slices
from pulse_core.services.cancel import cancel_order
from pulse_core.services.execute import execute_slice
from pulse_core.services.recall import ASK_AGAIN_AFTER, cancel_slices
from pulse_core.services.track import track_slices
from tests.broker import SimulatedBroker
from tests.factories import a_slice, a_split_order, an_account, order, slices_of


def a_working_slice(account_id: str | None = None) -> OrderSlice:
    first = slices_of(a_split_order(account_id=account_id))[0]
    execute_slice(first.id)
    return a_slice(first.id)


def deadline(one: OrderSlice) -> datetime:
    assert one.deadline_at is not None
    return one.deadline_at


def keep_working(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker takes requests to cancel, and nothing comes of them."""
    monkeypatch.setattr(broker, "cancel", broker.cancels.append)


def test_a_slice_works_until_its_deadline(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    assert one.sent_at is not None
    assert deadline(one) - one.sent_at >= timedelta(seconds=settings().slice_timeout)

    assert cancel_slices(deadline(one) - timedelta(seconds=1)) == 0
    assert broker.cancels == []


def test_at_its_deadline_the_rest_is_cancelled_and_the_slice_expires_with_its_fills(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "", 8)

    assert cancel_slices(deadline(one)) == 1
    assert a_slice(one.id).status is SliceStatus.WORKING
    track_slices(deadline(one))

    expired = a_slice(one.id)
    assert (expired.status, expired.filled_quantity, expired.cancel_reason) == (
        SliceStatus.EXPIRED,
        8,
        CancelReason.DEADLINE,
    )
    assert broker.cancels == [one.broker_order_id]


def test_a_slice_filled_before_the_request_arrived_is_filled(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "")

    cancel_slices(deadline(one))
    track_slices(deadline(one))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)


def test_the_working_slice_of_a_cancelled_order_is_cancelled_with_its_fills(broker: SimulatedBroker) -> None:
    account = an_account()
    one = a_working_slice(account)
    broker.fill(one.broker_order_id or "", 8)
    cancel_order(account, one.order_id, utcnow())

    cancel_slices(utcnow())
    track_slices(utcnow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.CANCELLED, 8)
    ended = order(one.order_id)
    assert (ended.status, ended.result, ended.filled_quantity) == (
        OrderStatus.CANCELLED,
        OrderResult.PARTIALLY_FILLED,
        8,
    )


def test_the_broker_is_asked_again_only_after_a_pause(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_working_slice()
    keep_working(broker, monkeypatch)

    counts = [cancel_slices(deadline(one) + ASK_AGAIN_AFTER * part / 2) for part in range(5)]

    assert counts == [1, 0, 1, 0, 1]
    assert broker.cancels == [one.broker_order_id] * 3


def test_two_sweeps_with_the_same_list_ask_once(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    working = [a_working_slice(), a_working_slice()]
    asked: list[str] = []

    def ask_while_another_sweep_runs(broker_order_id: str) -> None:
        asked.append(broker_order_id)
        cancel_slices(deadline(working[-1]))

    monkeypatch.setattr(broker, "cancel", ask_while_another_sweep_runs)
    cancel_slices(deadline(working[-1]))

    # Slices are called back side by side, so in no order.
    assert sorted(asked) == sorted(one.broker_order_id or "" for one in working)


def test_a_slice_that_ended_meanwhile_is_not_called_back(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_working_slice(), a_working_slice()
    listed = slices.to_cancel

    def list_and_fill_the_second(*args: Any, **options: Any) -> Sequence[OrderSlice]:
        found = listed(*args, **options)
        broker.fill(second.broker_order_id or "")
        track_slices(deadline(second))
        return found

    monkeypatch.setattr(slices, "to_cancel", list_and_fill_the_second)
    cancel_slices(deadline(second))

    assert broker.cancels == [first.broker_order_id]
    assert (a_slice(second.id).status, a_slice(second.id).cancel_reason) == (SliceStatus.FILLED, None)


def test_a_lost_answer_is_recorded_and_the_book_decides(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, take = a_working_slice(), broker.cancel

    def take_and_lose_the_answer(broker_order_id: str) -> None:
        take(broker_order_id)
        raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")

    monkeypatch.setattr(broker, "cancel", take_and_lose_the_answer)
    cancel_slices(deadline(one))
    assert a_slice(one.id).status is SliceStatus.WORKING
    track_slices(deadline(one))

    assert a_slice(one.id).status is SliceStatus.EXPIRED
    with db.transaction() as session:
        rows = select(SliceEvent).where(SliceEvent.slice_id == one.id, SliceEvent.kind == EventKind.BROKER_CALL)
        answers = [event.detail["answer"] for event in session.scalars(rows) if event.detail["call"] == "cancel"]
    assert answers == ["TIMEOUT: no answer within 7 s"]


def test_calls_are_bounded_for_each_run(broker: SimulatedBroker) -> None:
    last = [a_working_slice() for _ in range(3)][-1]

    assert cancel_slices(deadline(last), limit=2) == 2
    assert len(broker.cancels) == 2
