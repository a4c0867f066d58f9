"""What stands in the broker's book and should not: found, told once, and called back."""

import math
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from api_contract.errors import InvalidState
from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.brokers.port import RATE_LIMITED, BrokerOrderStatus, NotSent, Placement
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.trading.slice import operations
from pulse_core.trading.slice import reconcile as reconcile_module
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import placements
from pulse_core.trading.tables import Placement as AttemptRow
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_slice, a_split_order, slices_of

NOT_SENT = answer_with(NotSent("CONNECTION_REFUSED", "nobody listens"))


def alarms(slice_id: str) -> list[str]:
    return [one.detail["alarm"] for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM]


def a_replaced_attempt(broker: SimulatedBroker) -> tuple[str, Placement]:
    """A slice that works its second attempt, and the first, which counts as not placed."""
    broker.answers = [NOT_SENT]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    execute_slice(first.id, clock=lambda: a_slice(first.id).due_at)
    return first.id, broker.placements[0]


def test_an_attempt_that_turns_up_after_its_slice_was_sent_again_is_told_and_called_back(
    broker: SimulatedBroker,
) -> None:
    slice_id, old = a_replaced_attempt(broker)
    stray = broker.enter(old)

    reconcile(utcnow())

    assert broker.cancels == [stray]
    assert alarms(slice_id) == ["order taken for not placed is in the book"]
    assert a_slice(slice_id).status is SliceStatus.WORKING


def test_a_stray_is_called_back_until_the_book_shows_its_end(broker: SimulatedBroker) -> None:
    _slice_id, old = a_replaced_attempt(broker)
    stray = broker.enter(old)

    reconcile(utcnow())
    broker.book[stray] = replace(broker.book[stray], status=BrokerOrderStatus.OPEN)
    reconcile(utcnow())
    reconcile(utcnow())

    assert broker.cancels == [stray, stray]


def test_what_a_slice_works_is_not_called_back(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    reconcile(utcnow())

    assert broker.cancels == []


def test_two_broker_orders_with_one_client_order_id_are_told_once(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker.enter(broker.placements[0])

    reconcile(utcnow())
    reconcile(utcnow())

    assert alarms(first.id) == ["two broker orders have one client order id"]


class Asked:
    """The broker orders that the database is asked about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.orders: list[str] = []
        find = placements.by_broker_order

        def noted(session: Session, account: str, broker_order_ids: Collection[str]) -> list[placements.KnownOrder]:
            self.orders += broker_order_ids
            return find(session, account, broker_order_ids)

        monkeypatch.setattr(placements, "by_broker_order", noted)

    def by_reconciling(self) -> list[str]:
        self.orders.clear()
        reconcile(utcnow())
        return sorted(self.orders)


def test_what_is_over_and_booked_is_compared_again_when_its_row_changes_or_after_a_while(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(reconcile_module, "_closed", reconcile_module.Closed(lambda: now[0]))
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    ours = a_slice(first.id).broker_order_id or ""
    broker.fill(ours)
    others = broker.enter(replace(broker.placements[0], client_order_id="somebody else's"))
    broker.end(others)
    asked = Asked(monkeypatch)

    assert asked.by_reconciling() == sorted([ours, others])
    assert a_slice(first.id).status is SliceStatus.FILLED
    # It was news, and is seen to have ended.
    assert asked.by_reconciling() == [ours]
    assert asked.by_reconciling() == []

    broker.book[ours] = replace(broker.book[ours], message="something else")
    assert asked.by_reconciling() == [ours]
    assert asked.by_reconciling() == []

    now[0] += reconcile_module.COMPARED_AGAIN_AFTER
    assert asked.by_reconciling() == sorted([ours, others])


def test_an_order_that_becomes_known_as_ours_later_is_booked_though_its_row_stays_as_it_is(
    broker: SimulatedBroker,
) -> None:
    slice_id, old = a_replaced_attempt(broker)
    stray = broker.enter(old)
    with db.transaction() as session:
        # Its answer is on its way, to a worker that records it late.
        attempt = session.get_one(AttemptRow, old.client_order_id)
        attempt.outcome = PlacementOutcome.UNKNOWN
    broker.fill(stray, 5)
    broker.end(stray)
    reconcile(utcnow())
    assert a_slice(slice_id).filled_quantity == 0

    with db.transaction() as session:
        attempt = session.get_one(AttemptRow, old.client_order_id)
        attempt.outcome, attempt.broker_order_id = PlacementOutcome.ACKNOWLEDGED, stray
    reconcile(utcnow())

    assert a_slice(slice_id).filled_quantity == 5


def test_a_trade_that_cannot_be_booked_holds_up_no_other_slice(broker: SimulatedBroker) -> None:
    bad, good = slices_of(a_split_order())[0], slices_of(a_split_order())[0]
    for one in (bad, good):
        execute_slice(one.id)
        broker.fill(a_slice(one.id).broker_order_id or "")
    broker.trades[0] = replace(broker.trades[0], quantity=0)

    with pytest.raises(Exception, match="ck_fills_quantity"):
        track_slices(utcnow())

    assert a_slice(good.id).status is SliceStatus.FILLED


@pytest.mark.parametrize("reason", ["OWN_RATE_LIMIT", RATE_LIMITED])
def test_waits_for_a_rate_limit_do_not_use_up_the_attempts(broker: SimulatedBroker, reason: str) -> None:
    no_room = answer_with(NotSent(reason, "no room"))
    broker.answers = [no_room] * (settings().placement_attempts + 1) + [NOT_SENT]
    first = slices_of(a_split_order(duration_minutes=60))[0]

    for _ in range(settings().placement_attempts + 2):
        execute_slice(first.id, clock=lambda: a_slice(first.id).due_at + timedelta(milliseconds=1))

    assert (a_slice(first.id).status, a_slice(first.id).failures) == (SliceStatus.SCHEDULED, 1)


def test_a_broker_that_goes_on_refusing_for_the_rate_is_asked_less_often(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(NotSent(RATE_LIMITED, "too many"))] * 4
    first, waits = slices_of(a_split_order(duration_minutes=60))[0], []
    for _ in range(4):
        asked_at = a_slice(first.id).due_at
        execute_slice(first.id, clock=lambda at=asked_at: at)
        waits.append((a_slice(first.id).due_at - asked_at).total_seconds())

    assert [math.floor(math.log2(wait)) for wait in waits] == [0, 1, 2, 3]


def test_a_slice_whose_lost_attempt_turned_up_is_not_retried(broker: SimulatedBroker) -> None:
    broker.answers = [NOT_SENT] * settings().placement_attempts
    first = slices_of(a_split_order())[0]
    for _ in range(settings().placement_attempts):
        execute_slice(first.id, clock=lambda: a_slice(first.id).due_at)
    broker.enter(broker.placements[-1])
    reconcile(utcnow())

    with pytest.raises(InvalidState, match="may be live at the broker"):
        operations.retry_slice(first.id, "ops", utcnow())

    assert a_slice(first.id).status is SliceStatus.FAILED
