"""Each guard of the promise holds by itself, also where another stands before it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from api_contract.vocabulary import SliceStatus
from pulse_core import clock, db, failpoints
from pulse_core.brokers.port import Refused
from pulse_core.clock import utcnow
from pulse_core.postgres import advisory
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import due_slices
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, accept, answer_with, lose_the_request
from tests.support.factories import a_slice, a_split_order, settle_delay, slices_of
from tests.support.processes import wait_until

SOMEBODY_ELSES = "A" * 20


class WorkerDied(BaseException):
    """Raised at a failpoint: nothing of this call goes on."""


@pytest.fixture(autouse=True)
def no_actions() -> Iterator[None]:
    yield
    failpoints.actions.clear()


def at(point: str, deed: Callable[[], object]) -> None:
    """Do this once, at this point of the way to the broker and back."""

    def once() -> None:
        del failpoints.actions[point]
        deed()

    failpoints.actions[point] = once


def set_columns(slice_id: str, **columns: object) -> None:
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id == slice_id).values(**columns))


def fences() -> int:
    with db.transaction() as session:
        return session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")) or 0


def test_a_slice_is_not_claimed_while_an_attempt_of_it_may_be_live_whatever_its_status(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    set_columns(first.id, status=SliceStatus.SCHEDULED)

    execute_slice(first.id, clock=lambda: utcnow() + timedelta(minutes=1))

    assert (a_slice(first.id).attempts, len(broker.placements)) == (1, 1)


@pytest.mark.parametrize("status", [one for one in SliceStatus if one is not SliceStatus.SCHEDULED])
def test_only_a_slice_that_waits_to_be_sent_is_claimed(broker: SimulatedBroker, status: SliceStatus) -> None:
    first, at = slices_of(a_split_order())[0], utcnow()
    needed = {"lease_expires_at": at, "resolve_at": at, "deadline_at": at, "broker_order_id": "26112300000001"}
    set_columns(first.id, status=status, **needed)

    execute_slice(first.id)

    assert (a_slice(first.id).status, broker.placements) == (status, [])


def test_a_slice_of_another_broker_is_neither_claimed_nor_looked_up_nor_tracked(broker: SimulatedBroker) -> None:
    waiting, unknown, working, *_rest = slices_of(a_split_order())
    broker.answers = [lose_the_request, accept]
    for one in (unknown, working):
        execute_slice(one.id, clock=lambda due_at=one.due_at: due_at)  # type: ignore[misc]
    broker.name = "another"
    assert sending_hold.may_send(broker)

    execute_slice(waiting.id)
    handled = [sweep(utcnow() + timedelta(hours=1)) for sweep in (resolve_slices, track_slices)]

    assert (a_slice(waiting.id).status, a_slice(waiting.id).attempts) == (SliceStatus.SCHEDULED, 0)
    assert handled == [0, 0]


def test_an_acknowledgement_of_one_attempt_never_counts_for_another(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    at("execute.after_send", lambda: set_columns(first.id, client_order_id=SOMEBODY_ELSES))

    execute_slice(first.id)

    kept = a_slice(first.id)
    assert (kept.status, kept.client_order_id) == (SliceStatus.SENDING, SOMEBODY_ELSES)
    (attempt,) = operations.slice_history(first.id).attempts
    assert (attempt.outcome, attempt.broker_order_id) == (PlacementOutcome.ACKNOWLEDGED, next(iter(broker.book)))


def test_the_fence_is_held_until_the_outcome_is_recorded(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    held: list[bool] = []

    def try_to_take_it() -> None:
        with db.fence(first.id) as fence:
            held.append(fence is None)

    at("execute.before_record_commit", try_to_take_it)
    execute_slice(first.id)

    assert held == [True]
    assert a_slice(first.id).status is SliceStatus.REJECTED


@pytest.mark.usefixtures("clean_database")
def test_a_connection_that_could_not_unlock_does_not_return_to_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory, "_UNLOCK", text("SELECT 1 / 0, :fenced"))

    with db.fence("sl_1") as fence:
        assert fence is not None

    wait_until(lambda: fences() == 0, 4, "no fence")


def test_a_lease_is_looked_at_again_under_the_fence(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    first = slices_of(a_split_order())[0]

    def die() -> None:
        raise WorkerDied

    at("execute.after_claim", die)
    with suppress(WorkerDied):
        execute_slice(first.id)
    # As if it had been claimed again between the list and the look.
    monkeypatch.setattr(due_slices, "expired_claims", lambda *_arguments: [first.id])

    expire_claims(utcnow())
    assert a_slice(first.id).status is SliceStatus.SENDING

    expire_claims(utcnow() + timedelta(minutes=1))
    assert a_slice(first.id).status is SliceStatus.UNKNOWN


def tomorrow_at(hour: int, minute: int, second: int) -> datetime:
    day = utcnow().date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize("lasts", [timedelta(seconds=4), timedelta(0)])
def test_a_reading_that_may_have_seen_the_next_days_book_proves_no_absence(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, lasts: timedelta
) -> None:
    broker.is_book_daily, broker.answers = True, [lose_the_request]
    begins = tomorrow_at(23, 59, 58)
    sent_at = begins - settle_delay() - timedelta(seconds=15)
    first = slices_of(a_split_order(now=sent_at))[0]
    execute_slice(first.id, clock=lambda: sent_at)
    now = sent_at
    monkeypatch.setattr(clock, "utcnow", lambda: now + lasts)

    while now < begins:
        now = min(now + timedelta(seconds=5), begins)
        resolve_slices(now)

    assert a_slice(first.id).status is SliceStatus.UNKNOWN
