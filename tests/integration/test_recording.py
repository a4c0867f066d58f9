"""An answer of the broker is a proof in hand: it is recorded whatever became of the connection that held the fence."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from api_contract.vocabulary import SliceStatus
from pulse_core import db, failpoints
from pulse_core.brokers.port import NotSent, OutcomeUnknown, Refused
from pulse_core.errors import DatabaseUnavailable, LostRace
from pulse_core.events.names import EventKind
from pulse_core.trading.slice import operations, outcome
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import slices
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, accept, answer_with
from tests.support.factories import a_slice, a_split_order, later, settle_delay, slices_of, watch_the_book


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


def cut_all_connections() -> None:
    with db.engine().connect() as connection, connection.begin():
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'pulse' AND pid <> pg_backend_pid()"
            )
        )
    # Those that are idle in the pool: a test that calls a service itself must not get one.
    db.engine().dispose()


def away(*_arguments: Any) -> Any:
    raise DatabaseUnavailable(db.AWAY)


ANSWERS: list[tuple[Any, SliceStatus, PlacementOutcome]] = [
    (accept, SliceStatus.WORKING, PlacementOutcome.ACKNOWLEDGED),
    (answer_with(Refused("MarginException", "no funds")), SliceStatus.REJECTED, PlacementOutcome.REFUSED),
    (answer_with(NotSent("UNREACHABLE", "nobody listens")), SliceStatus.SCHEDULED, PlacementOutcome.NOT_SENT),
    (answer_with(OutcomeUnknown("NO_ANSWER", "no answer")), SliceStatus.UNKNOWN, PlacementOutcome.UNKNOWN),
]


@pytest.mark.parametrize(("answer", "status", "kind"), ANSWERS[1:])
def test_an_answer_is_recorded_once_though_its_first_move_lost_a_race(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, answer: Any, status: SliceStatus, kind: PlacementOutcome
) -> None:
    move = slices.move

    def lose_once(*_stated: Any, **_changes: Any) -> None:
        monkeypatch.setattr(slices, "move", move)
        raise LostRace("somebody else was first")

    monkeypatch.setattr(slices, "move", lose_once)
    broker.answers = [answer]
    first = slices_of(a_split_order())[0]

    execute_slice(first.id)

    told = [one.kind for one in operations.slice_history(first.id).events]
    assert (a_slice(first.id).status, told.count(EventKind.BROKER_CALL)) == (status, 1)
    assert [one.outcome for one in operations.slice_history(first.id).attempts] == [kind]


@pytest.mark.parametrize(("answer", "status", "kind"), ANSWERS)
def test_every_answer_is_recorded_though_the_fence_was_cut_after_it(
    broker: SimulatedBroker, answer: Any, status: SliceStatus, kind: PlacementOutcome
) -> None:
    broker.answers = [answer]
    first = slices_of(a_split_order())[0]
    at("execute.after_send", cut_all_connections)

    execute_slice(first.id)

    (attempt,) = operations.slice_history(first.id).attempts
    assert (a_slice(first.id).status, attempt.outcome) == (status, kind)
    assert attempt.broker_order_id == next(iter(broker.book), None)


def test_an_answer_is_recorded_when_its_commit_was_cut(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(Refused("MarginException", "no funds"))]
    first = slices_of(a_split_order())[0]
    at("execute.before_record_commit", cut_all_connections)

    execute_slice(first.id)

    assert a_slice(first.id).status is SliceStatus.REJECTED
    assert len([one for one in operations.slice_history(first.id).events if one.detail.get("call")]) == 1


def test_recording_is_tried_again_while_the_database_is_away(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = slices_of(a_split_order())[0]
    transaction, refusals = db.transaction, iter(range(3))

    def away_for_a_while(*arguments: Any) -> Any:
        if next(refusals, None) is not None:
            raise DatabaseUnavailable(db.AWAY)
        return transaction(*arguments)

    def go_away() -> None:
        cut_all_connections()
        monkeypatch.setattr(outcome.db, "statement", away)
        monkeypatch.setattr(outcome.db, "transaction", away_for_a_while)

    at("execute.after_send", go_away)

    execute_slice(first.id)

    assert a_slice(first.id).broker_order_id == next(iter(broker.book))


def test_a_database_that_stays_away_is_told_and_the_book_finds_the_slice(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = slices_of(a_split_order())[0]
    monkeypatch.setattr(outcome, "RECORD_FOR", 0.0)

    with monkeypatch.context() as meanwhile:

        def go_away() -> None:
            meanwhile.setattr(outcome.db, "statement", away)
            meanwhile.setattr(outcome.db, "transaction", away)

        at("execute.after_send", go_away)
        with pytest.raises(DatabaseUnavailable):
            execute_slice(first.id)

    assert a_slice(first.id).status is SliceStatus.SENDING
    expire_claims(later(60))
    resolve_slices(later(60))
    assert (a_slice(first.id).status, len(broker.book)) == (SliceStatus.WORKING, 1)


def test_an_answer_that_comes_after_its_claim_expired_is_recorded(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    broker.answers = [answer_with(Refused("MarginException", "no funds"))]

    def lose_the_fence_for_longer_than_the_lease() -> None:
        cut_all_connections()
        assert expire_claims(later(60)) == 1

    at("execute.after_send", lose_the_fence_for_longer_than_the_lease)

    execute_slice(first.id)

    assert (a_slice(first.id).status, a_slice(first.id).error_code) == (SliceStatus.REJECTED, "MarginException")


def test_an_order_acknowledged_after_its_slice_was_put_back_is_followed_and_nothing_is_sent_beside_it(
    broker: SimulatedBroker,
) -> None:
    first = slices_of(a_split_order())[0]

    def presume_it_absent() -> None:
        cut_all_connections()
        start = later(60)
        hidden, broker.book = broker.book, {}
        expire_claims(start)
        watch_the_book(start, start + settle_delay())
        broker.book = hidden
        assert a_slice(first.id).status is SliceStatus.SCHEDULED

    at("execute.after_send", presume_it_absent)

    execute_slice(first.id)
    execute_slice(first.id, clock=lambda: later(600))
    resolve_slices(later(600))
    broker.fill(next(iter(broker.book)))
    track_slices(later(601))

    assert (a_slice(first.id).status, a_slice(first.id).filled_quantity) == (SliceStatus.FILLED, 20)
    assert len(broker.placements) == 1
