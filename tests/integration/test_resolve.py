"""What became of a slice is found out from the broker's book, and from nothing else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import BookUnavailable, NotSent, Placement
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.trading.book import turns
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.queries import order_report
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.slice.operations import slice_history
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import LOOK_AGAIN_AFTER, WATCH_EVERY, resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.tables import Placement as Attempt
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, SimulatedFinder, accept_but_lose_the_answer, lose_the_request
from tests.support.factories import (
    a_slice,
    a_split_order,
    an_account,
    later,
    order,
    settle_delay,
    slices_of,
    watch_the_book,
)


def an_unknown_slice(
    broker: SimulatedBroker, answer: Callable[[SimulatedBroker, Placement], str], account_id: str | None = None
) -> OrderSlice:
    broker.answers = [answer]
    first = slices_of(a_split_order(account_id=account_id))[0]
    execute_slice(first.id)
    unknown = a_slice(first.id)
    assert unknown.status is SliceStatus.UNKNOWN
    return unknown


def a_working_slice(broker: SimulatedBroker) -> OrderSlice:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.WORKING
    return a_slice(first.id)


def outcomes(slice_id: str) -> list[PlacementOutcome | None]:
    with db.transaction() as session:
        rows = select(Attempt.outcome).where(Attempt.slice_id == slice_id).order_by(Attempt.attempt)
        return list(session.scalars(rows))


def alarms(slice_id: str) -> list[str]:
    with db.transaction() as session:
        rows = select(SliceEvent).where(SliceEvent.slice_id == slice_id, SliceEvent.kind == EventKind.ALARM)
        return [event.detail["alarm"] for event in session.scalars(rows.order_by(SliceEvent.id))]


def test_a_slice_found_in_the_book_is_working_under_the_brokers_id(broker: SimulatedBroker) -> None:
    one = an_unknown_slice(broker, accept_but_lose_the_answer)

    resolve_slices(later(0))

    found = a_slice(one.id)
    assert (found.status, found.broker_order_id) == (SliceStatus.WORKING, next(iter(broker.book)))
    assert found.deadline_at == (one.sent_at or utcnow()) + timedelta(seconds=settings().slice_timeout)
    assert outcomes(one.id) == [PlacementOutcome.ACKNOWLEDGED]
    assert len(broker.placements) == 1


def test_a_slice_found_filled_is_filled(broker: SimulatedBroker) -> None:
    one = an_unknown_slice(broker, accept_but_lose_the_answer)
    broker.fill(next(iter(broker.book)))

    resolve_slices(later(0))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)


def test_a_slice_found_rejected_is_rejected(broker: SimulatedBroker) -> None:
    one = an_unknown_slice(broker, accept_but_lose_the_answer)
    broker.reject(next(iter(broker.book)))

    resolve_slices(later(0))

    assert a_slice(one.id).status is SliceStatus.REJECTED


def test_absent_once_proves_nothing(broker: SimulatedBroker) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)

    watch_the_book(first_look, first_look + settle_delay() - timedelta(seconds=1))

    assert a_slice(one.id).status is SliceStatus.UNKNOWN
    assert outcomes(one.id) == [PlacementOutcome.UNKNOWN]


def test_absent_again_after_the_settle_delay_it_goes_back_and_is_sent_under_another_id(broker: SimulatedBroker) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    watch_the_book(first_look, first_look + settle_delay())
    reschedule = a_slice(one.id)
    assert reschedule.status is SliceStatus.SCHEDULED
    assert reschedule.due_at > first_look + settle_delay()

    execute_slice(one.id, clock=lambda: reschedule.due_at)

    assert a_slice(one.id).status is SliceStatus.WORKING
    assert outcomes(one.id) == [PlacementOutcome.ABSENT, PlacementOutcome.ACKNOWLEDGED]
    assert len({placement.client_order_id for placement in broker.placements}) == 2


def test_an_order_that_shows_up_between_the_looks_is_found(broker: SimulatedBroker) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    resolve_slices(first_look)
    broker.enter(broker.placements[0])

    resolve_slices(first_look + settle_delay())

    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_book_that_cannot_be_read_proves_no_absence_and_is_asked_again_after_a_pause(broker: SimulatedBroker) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    broker.is_book_readable = False
    with pytest.raises(BookUnavailable):
        resolve_slices(first_look)
    assert resolve_slices(first_look) == 0

    broker.is_book_readable = True
    assert resolve_slices(first_look + LOOK_AGAIN_AFTER) == 1
    assert (a_slice(one.id).status, a_slice(one.id).absent_since) == (
        SliceStatus.UNKNOWN,
        first_look + LOOK_AGAIN_AFTER,
    )


def test_an_outage_of_the_broker_starts_the_settle_delay_anew(broker: SimulatedBroker) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    resolve_slices(first_look)
    broker.is_book_readable = False
    with pytest.raises(BookUnavailable):
        resolve_slices(first_look + WATCH_EVERY + timedelta(seconds=1))
    broker.is_book_readable = True
    back_again = first_look + timedelta(minutes=5)

    resolve_slices(back_again)
    assert (a_slice(one.id).status, a_slice(one.id).absent_since) == (SliceStatus.UNKNOWN, back_again)

    broker.enter(broker.placements[0])
    watch_the_book(back_again, back_again + settle_delay())
    assert a_slice(one.id).status is SliceStatus.WORKING


def test_its_quantity_counts_as_unknown_meanwhile(broker: SimulatedBroker) -> None:
    account = an_account()
    one = an_unknown_slice(broker, lose_the_request, account)

    seen = order_report(OneAccount(account), one.order_id).exposure

    assert (seen.unknown, seen.unsent, seen.total) == (20, 80, 100)


def test_a_slice_fenced_by_its_worker_is_not_resolved(broker: SimulatedBroker) -> None:
    one = an_unknown_slice(broker, accept_but_lose_the_answer)

    with db.fence(one.id):
        resolve_slices(later(0))
        assert a_slice(one.id).status is SliceStatus.UNKNOWN

    resolve_slices(later(0))
    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_book_read_for_one_attempt_says_nothing_of_the_next(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever reads has lost the turn to another by then.
    monkeypatch.setattr(turns, "LEASE", timedelta(0))
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    second_look = first_look + settle_delay()
    watch_the_book(first_look, second_look - timedelta(seconds=2))
    read_book = broker.order_book

    def read_while_another_sweep_resolves_and_sends_again(*_since: object) -> object:
        broker.order_book = read_book  # type: ignore[method-assign]
        stale = read_book()
        resolve_slices(second_look)
        due_at = a_slice(one.id).due_at
        broker.answers = [accept_but_lose_the_answer]
        execute_slice(one.id, clock=lambda: due_at)
        return stale

    broker.order_book = read_while_another_sweep_resolves_and_sends_again  # type: ignore[method-assign,assignment]
    resolve_slices(second_look)

    again = a_slice(one.id)
    assert (again.status, again.attempts, again.absent_since) == (SliceStatus.UNKNOWN, 2, None)


def test_one_reading_follows_what_works_and_resolves_what_is_in_doubt(broker: SimulatedBroker) -> None:
    unknown, working = an_unknown_slice(broker, accept_but_lose_the_answer), a_working_slice(broker)
    broker.fill(working.broker_order_id or "")
    before = broker.readings

    assert track_slices(later(0)) == 1

    assert broker.readings == before + 1
    assert (a_slice(unknown.id).status, a_slice(working.id).status) == (SliceStatus.WORKING, SliceStatus.FILLED)


def test_where_a_broker_can_be_asked_for_an_id_no_reading_for_what_works_says_what_became_of_it(
    broker: SimulatedBroker,
) -> None:
    unknown, _working = an_unknown_slice(broker, accept_but_lose_the_answer), a_working_slice(broker)
    broker.finder = SimulatedFinder(broker)

    track_slices(later(0))
    assert a_slice(unknown.id).status is SliceStatus.UNKNOWN

    resolve_slices(later(0))
    assert (a_slice(unknown.id).status, broker.finder.asked) == (SliceStatus.WORKING, [unknown.client_order_id])


def test_whoever_has_the_turn_at_the_book_resolves_by_it_and_nobody_else(broker: SimulatedBroker) -> None:
    one, before = an_unknown_slice(broker, accept_but_lose_the_answer), broker.readings

    with turns.turn("paper"):
        assert resolve_slices(later(0)) == 0
        assert broker.readings == before
    assert resolve_slices(later(0)) == 1

    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_reading_tells_nothing_of_what_was_not_in_doubt_before_it_began(broker: SimulatedBroker) -> None:
    a_working_slice(broker)
    read_book, late = broker.order_book, []

    def read_while_a_request_gets_lost(*_since: object) -> object:
        broker.order_book = read_book  # type: ignore[method-assign]
        rows = read_book()
        late.append(an_unknown_slice(broker, lose_the_request))
        return rows

    broker.order_book = read_while_a_request_gets_lost  # type: ignore[method-assign,assignment]
    # Its look is due however far the clock of whoever reads is ahead.
    track_slices(later(60))

    assert a_slice(late[0].id).absent_since is None


def test_an_order_cancelled_while_a_slice_is_unknown_ends_cancelled_and_never_sends_it_again(
    broker: SimulatedBroker,
) -> None:
    account = an_account()
    one, first_look = an_unknown_slice(broker, lose_the_request, account), later(0)
    cancel_order(OneAccount(account), one.order_id, utcnow(), account)
    assert (order(one.order_id).status, a_slice(one.id).status) == (OrderStatus.CANCELLING, SliceStatus.UNKNOWN)

    watch_the_book(first_look, first_look + settle_delay())

    assert (order(one.order_id).status, a_slice(one.id).status) == (OrderStatus.CANCELLED, SliceStatus.CANCELLED)
    execute_slice(one.id, clock=lambda: first_look + timedelta(hours=1))
    assert len(broker.placements) == 1


def test_an_order_cancelled_while_its_slice_is_unknown_but_live_is_called_back_and_keeps_its_fills(
    broker: SimulatedBroker,
) -> None:
    account = an_account()
    one = an_unknown_slice(broker, accept_but_lose_the_answer, account)
    broker.fill(next(iter(broker.book)), 6)
    cancel_order(OneAccount(account), one.order_id, utcnow(), account)

    resolve_slices(later(0))
    cancel_slices(later(0))
    track_slices(later(0))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.CANCELLED, 6)
    assert (order(one.order_id).status, order(one.order_id).filled_quantity) == (OrderStatus.CANCELLED, 6)


def test_the_last_attempt_absent_from_the_book_fails_the_slice(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, first_look = an_unknown_slice(broker, lose_the_request), later(0)
    once = settings().model_copy(update={"placement_attempts": 1})
    monkeypatch.setattr("pulse_core.trading.slice.outcome.settings", lambda: once)

    watch_the_book(first_look, first_look + settle_delay())

    assert (a_slice(one.id).status, a_slice(one.id).error_code) == (SliceStatus.FAILED, "ABSENT")


def test_looks_are_bounded(broker: SimulatedBroker) -> None:
    for _ in range(3):
        an_unknown_slice(broker, lose_the_request)

    assert resolve_slices(later(0), limit=2) == 2
    assert resolve_slices(later(0), limit=2) == 1


def test_claims_whose_lease_runs_are_left_alone(broker: SimulatedBroker) -> None:
    one = slices_of(a_split_order())[0]
    broker.wait_for_turn = lambda _seconds: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(ZeroDivisionError):
        execute_slice(one.id)

    assert expire_claims(utcnow()) == 0
    assert a_slice(one.id).status is SliceStatus.SENDING
    assert expire_claims(later(settings().lease)) == 1
    assert (a_slice(one.id).status, a_slice(one.id).error_code) == (SliceStatus.UNKNOWN, "WORKER_LOST")


def test_an_adopted_order_is_followed_to_its_end(broker: SimulatedBroker) -> None:
    one = a_slice_that_was_accepted_but_called_not_sent(broker)
    broker.fill(next(iter(broker.book)))

    reconcile(later(0))
    resolve_slices(later(0))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)
    assert alarms(one.id) == ["order taken for not placed is in the book"]


def test_an_order_adopted_too_late_has_its_fills_booked_under_an_alarm(broker: SimulatedBroker) -> None:
    one = a_slice_that_was_accepted_but_called_not_sent(broker)
    execute_slice(one.id, clock=lambda: one.due_at)
    adopted_late, worked = broker.book
    broker.fill(worked)
    track_slices(later(0))

    broker.fill(adopted_late)
    reconcile(later(0))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 40)
    assert alarms(one.id) == [
        "order taken for not placed is in the book",
        "fill after the end",
        "slice overfilled",
    ]


def a_slice_that_was_accepted_but_called_not_sent(broker: SimulatedBroker) -> OrderSlice:
    broker.answers = [accept_but_call_it_not_sent]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return a_slice(first.id)


def accept_but_call_it_not_sent(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise NotSent("CONNECTION_REFUSED", "nobody listens")


def test_the_book_of_another_day_proves_no_absence_and_an_operator_is_told_once(broker: SimulatedBroker) -> None:
    broker.answers, broker.is_book_daily = [lose_the_request], True
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    for hours in (24, 24.2, 24.4):
        resolve_slices(utcnow() + timedelta(hours=hours))

    assert a_slice(first.id).status is SliceStatus.UNKNOWN
    told = [one.detail["alarm"] for one in slice_history(first.id).events if one.kind is EventKind.ALARM]
    assert told == ["the book of the day is closed on an unknown slice"]
