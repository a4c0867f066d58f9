"""A batch has one fence, one claim, one last look and one record, and yet each of its slices stands for itself."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from api_contract.log import bound_trace, current_trace
from api_contract.spans import Kind, span
from api_contract.vocabulary import SliceStatus
from pulse_core import db, failpoints
from pulse_core.brokers.port import NotSent, OutcomeUnknown, Placement, Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.owner import OneAccount
from pulse_core.trading import client_order_ids, tables
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice import execute, sending
from pulse_core.trading.slice.claiming import Claim
from pulse_core.trading.slice.execute import Attempts, execute_slices
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.slice.operations import slice_history
from pulse_core.trading.slice.places import Places
from pulse_core.trading.store import installation, slices
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, accept, accept_but_lose_the_answer, answer_with
from tests.support.factories import a_slice, a_split_order, an_account, later, order, slices_of, without_pace
from tests.support.processes import wait_until
from tests.support.statements import statements

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
FENCES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
WAITERS = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
SESSIONS = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"


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


def a_batch(size: int = 4, account_id: str | None = None) -> list[str]:
    """Slices of one order that are due together."""
    order_id = a_split_order(account_id=account_id, num_splits=5)
    without_pace(order_id)
    batch = [one.id for one in slices_of(order_id)[:size]]
    set_columns(batch, due_at=utcnow() - timedelta(milliseconds=1))
    return batch


def lone_slices(count: int) -> list[str]:
    """Due slices of as many orders."""
    return [slices_of(a_split_order())[0].id for _ in range(count)]


def set_columns(slice_ids: list[str], **columns: object) -> None:
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id.in_(slice_ids)).values(**columns))


def count(query: str) -> int:
    with db.transaction() as session:
        return session.scalar(text(query)) or 0


def statuses(slice_ids: list[str]) -> list[SliceStatus]:
    return [a_slice(one).status for one in slice_ids]


def is_free(slice_id: str) -> bool:
    with db.fence(slice_id) as fence:
        return fence is not None


class Hanging:
    """A broker's answer to one placement that comes when it is let go."""

    def __init__(self) -> None:
        self.is_asked, self._may_answer = threading.Event(), threading.Event()

    def __call__(self, broker: SimulatedBroker, placement: Placement) -> str:
        self.is_asked.set()
        assert self._may_answer.wait(20)
        return accept(broker, placement)

    def let_go(self) -> None:
        self._may_answer.set()


def while_hanging(batch: list[str], hanging: Hanging, look: Callable[[], None]) -> Attempts:
    with ThreadPoolExecutor(1) as worker:
        execution = worker.submit(execute_slices, batch)
        try:
            assert hanging.is_asked.wait(10)
            look()
        finally:
            hanging.let_go()
        return execution.result(timeout=20)


def test_every_slice_of_a_batch_is_placed_once_with_its_own_attempt_and_events(broker: SimulatedBroker) -> None:
    batch = [*a_batch(), *lone_slices(3)]

    attempts = execute_slices([*batch, batch[0]])
    again = execute_slices(batch)

    assert statuses(batch) == [SliceStatus.WORKING] * 7
    assert sorted(one.client_order_id for one in broker.placements) == sorted(
        str(a_slice(one).client_order_id) for one in batch
    )
    for one in batch:
        history = slice_history(one)
        (attempt,) = history.attempts
        assert (attempt.client_order_id, attempt.outcome) == (
            a_slice(one).client_order_id,
            PlacementOutcome.ACKNOWLEDGED,
        )
        assert attempts.made[one].outcome.broker_order_id == attempt.broker_order_id == a_slice(one).broker_order_id
        moves = [(told.kind, told.to_status) for told in history.events]
        assert moves == [("MOVE", "SENDING"), ("BROKER_CALL", None), ("MOVE", "WORKING")]
    assert (again.made, again.failed) == ({}, {})


def test_calls_of_a_batch_are_steps_of_its_task_and_those_of_several_traces_of_their_own_requests(
    broker: SimulatedBroker,
) -> None:
    steps: list[str] = []

    def accept_and_note(simulated: SimulatedBroker, placement: Placement) -> str:
        steps.append(current_trace()["traceparent"])
        return accept(simulated, placement)

    broker.answers = [accept_and_note] * 4
    with bound_trace(TRACE):
        batch = a_batch(4)
        with span("task", Kind.CONSUMER) as task:
            execute_slices(batch[:2])
    execute_slices(batch[2:])

    assert steps == [task.traceparent] * 2 + [TRACE["traceparent"]] * 2


def test_a_batch_costs_as_many_statements_as_a_lone_slice(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute_slices(lone_slices(1))
    alone, batch = lone_slices(1), [*a_batch(), *lone_slices(3)]

    monkeypatch.setattr(sending, "GATHERING_SECONDS", 10.0)
    with statements() as of_one:
        execute_slices(alone)
    with statements() as of_seven:
        execute_slices(batch)

    assert statuses([*alone, *batch]) == [SliceStatus.WORKING] * 8
    assert len(of_one) == len(of_seven) == 5


def test_the_whole_batch_is_fenced_on_one_connection_until_it_is_recorded(broker: SimulatedBroker) -> None:
    batch = a_batch()
    found: list[object] = []

    def look() -> None:
        found.append((count(FENCES), count(SESSIONS), [is_free(one) for one in batch]))
        expire_claims(later(settings().lease * 10))
        found.append(statuses(batch))

    at("execute.after_turn", look)
    at("execute.after_send", look)
    execute_slices(batch)

    fenced = [(4, 1, [False] * 4), [SliceStatus.SENDING] * 4]
    assert found == fenced * 2
    assert (count(FENCES), statuses(batch)) == (0, [SliceStatus.WORKING] * 4)


def test_what_another_worker_holds_is_left_out_of_the_batch(broker: SimulatedBroker) -> None:
    batch = a_batch()

    with db.fence(batch[1]):
        execute_slices(batch)

    assert statuses(batch) == [SliceStatus.WORKING, SliceStatus.SCHEDULED, *[SliceStatus.WORKING] * 2]
    assert len(broker.placements) == 3


def test_workers_with_overlapping_batches_place_each_slice_once(broker: SimulatedBroker) -> None:
    batch = [*a_batch(), *lone_slices(4)]
    start = threading.Barrier(6)

    def execute(worker: int) -> None:
        start.wait()
        execute_slices((batch + batch)[worker : worker + 6])

    with ThreadPoolExecutor(6) as workers:
        list(workers.map(execute, range(6)))
    execute_slices(batch)

    assert len(broker.placements) == 8
    assert [(a_slice(one).status, a_slice(one).attempts) for one in batch] == [(SliceStatus.WORKING, 1)] * 8


def test_each_slice_ends_as_the_broker_answered_it(broker: SimulatedBroker) -> None:
    batch = lone_slices(5)
    errors: list[Exception] = [Refused("MarginException", "no funds"), NotSent("UNREACHABLE", "away")]
    errors += [OutcomeUnknown("TIMEOUT", "no answer"), RuntimeError("a defect")]
    broker.answers = [answer_with(error) for error in errors]

    attempts = execute_slices(batch)

    ends = {SliceStatus.REJECTED, SliceStatus.SCHEDULED, SliceStatus.UNKNOWN, SliceStatus.SENDING, SliceStatus.WORKING}
    assert set(statuses(batch)) == ends
    (failed,) = attempts.failed
    assert a_slice(failed).status is SliceStatus.SENDING
    assert set(attempts.made) == set(batch) - {failed}
    assert all(made.status is a_slice(slice_id).status for slice_id, made in attempts.made.items())
    with pytest.raises(RuntimeError, match="a defect"):
        attempts.check()


def test_one_that_hangs_holds_up_neither_the_record_nor_the_fence_of_the_others(broker: SimulatedBroker) -> None:
    batch, hanging = lone_slices(4), Hanging()
    broker.answers = [hanging, answer_with(Refused("MarginException", "no funds"))]

    def look() -> None:
        wait_until(lambda: statuses(batch).count(SliceStatus.SENDING) == 1, 10, "the others' records")
        assert sorted(statuses(batch)) == ["REJECTED", "SENDING", "WORKING", "WORKING"]
        wait_until(lambda: count(FENCES) == 1, 10, "the others' fences")
        (open_one,) = [one for one in batch if a_slice(one).status is SliceStatus.SENDING]
        assert not is_free(open_one)

    attempts = while_hanging(batch, hanging, look)

    assert sorted(statuses(batch)) == ["REJECTED", "WORKING", "WORKING", "WORKING"]
    assert (set(attempts.made), count(FENCES)) == (set(batch), 0)


def test_nothing_is_claimed_before_there_is_a_thread_for_it_and_one_that_hangs_keeps_one(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Places(3)
    monkeypatch.setattr(execute, "places_of", lambda _account: few)
    first, second, third, hanging = lone_slices(3), lone_slices(3), lone_slices(2), Hanging()
    broker.answers = [hanging]

    def look() -> None:
        wait_until(lambda: statuses(first).count(SliceStatus.WORKING) == 2, 10, "the first batch's records")
        execute_slices(third)
        waiting = other.submit(execute_slices, second)
        assert statuses(third) == [SliceStatus.WORKING] * 2
        assert statuses(second) == [SliceStatus.SCHEDULED] * 3
        assert not waiting.done()

    with ThreadPoolExecutor(1) as other:
        while_hanging(first, hanging, look)

    assert statuses([*first, *second]) == [SliceStatus.WORKING] * 6


def test_an_order_cancelled_after_the_claim_stops_its_own_slices_only(broker: SimulatedBroker) -> None:
    account = an_account()
    stopped, others = a_batch(2, account), lone_slices(2)
    at(
        "execute.after_turn",
        lambda: cancel_order(OneAccount(account), a_slice(stopped[0]).order_id, utcnow(), account),
    )

    execute_slices([others[0], *stopped, others[1]])

    assert statuses(others) == [SliceStatus.WORKING] * 2
    assert statuses(stopped) == [SliceStatus.CANCELLED] * 2
    assert len(broker.placements) == 2


def test_two_slices_of_one_order_count_both_towards_its_quantity(broker: SimulatedBroker) -> None:
    batch = a_batch(2)
    rest = [one for one in slices_of(a_slice(batch[0]).order_id) if one.id not in batch]

    def overfill() -> None:
        # One share more than the order has, with both of the batch.
        set_columns([rest[0].id], filled_quantity=rest[0].quantity + 1)

    at("execute.after_turn", overfill)
    execute_slices(batch)

    assert broker.placements == []
    assert [a_slice(one).error_code for one in batch] == ["OVER_QUANTITY"] * 2
    # The first made room for both.
    assert sorted(a_slice(one).quantity for one in batch) == [19, 20]


def test_the_claim_sees_the_order_whole_however_many_of_its_slices_it_takes(broker: SimulatedBroker) -> None:
    batch = a_batch(3)
    exposed: list[int] = []

    def note(_fence: object, claimed: list[Claim], *_rest: object) -> None:
        exposed.extend(one.claimed.exposed for one in claimed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "send_together", note)
        execute_slices(batch)

    assert exposed == [order(a_slice(batch[0]).order_id).total_quantity] * 3


def test_a_row_that_somebody_has_locked_holds_up_no_other_and_is_sent_when_it_is_free(broker: SimulatedBroker) -> None:
    batch = a_batch()

    with ThreadPoolExecutor(1) as worker:
        with db.transaction() as session:
            slices.lock(session, batch[0])
            execution = worker.submit(execute_slices, batch)
            wait_until(lambda: statuses(batch[1:]) == [SliceStatus.WORKING] * 3, 1.5, "the others")
            assert a_slice(batch[0]).status is SliceStatus.SCHEDULED
        execution.result(timeout=10)

    assert statuses(batch) == [SliceStatus.WORKING] * 4


def test_a_slice_that_spoils_the_claim_is_tried_by_itself_and_the_others_are_placed(broker: SimulatedBroker) -> None:
    batch = a_batch()
    taken = client_order_ids.client_order_id(installation.client_order_id_key(), batch[2], 1)
    row = {"client_order_id": taken, "slice_id": batch[2], "attempt": 1, "quantity": 1, "broker": "paper"}
    with db.transaction() as session:
        session.execute(insert(tables.Placement).values(**row, claimed_at=utcnow(), outcome=PlacementOutcome.NOT_SENT))

    attempts = execute_slices(batch)

    assert statuses(batch) == [*[SliceStatus.WORKING] * 2, SliceStatus.SCHEDULED, SliceStatus.WORKING]
    assert [type(error) for error in attempts.failed.values()] == [IntegrityError]


def test_retried_early_overdue_and_impossible_slices_go_their_own_ways(broker: SimulatedBroker) -> None:
    first, retried, early, later_, over, paused = lone_slices(6)
    set_columns([retried], attempts=3)
    set_columns([early], due_at=utcnow() + timedelta(milliseconds=8))
    set_columns([later_], due_at=utcnow() + timedelta(milliseconds=900))
    set_columns([over], filled_quantity=20)
    with db.transaction() as session:
        session.execute(
            text("UPDATE orders SET status = 'PAUSED' WHERE id = :order_id"), {"order_id": a_slice(paused).order_id}
        )

    execute_slices([first, retried, early, later_, over, paused])

    assert statuses([first, retried]) == [SliceStatus.WORKING] * 2
    assert (a_slice(first).attempts, a_slice(retried).attempts) == (1, 4)
    assert statuses([over, paused]) == [SliceStatus.SKIPPED, SliceStatus.SCHEDULED]
    for one in (a_slice(early), a_slice(later_)):
        assert one.sent_at is None or one.sent_at >= one.due_at


def test_a_batch_that_comes_early_waits_and_goes_together(broker: SimulatedBroker) -> None:
    batch = a_batch()
    due_at = utcnow() + timedelta(seconds=0.4)
    set_columns(batch, due_at=due_at)

    with statements() as made:
        execute_slices(batch)

    claimed_at = {a_slice(one).sent_at for one in batch}
    assert statuses(batch) == [SliceStatus.WORKING] * 4
    assert all(one is not None and one >= due_at for one in claimed_at)
    assert len(made) <= 8


def test_a_batch_whose_connection_is_cut_after_the_claim_sends_nothing(broker: SimulatedBroker) -> None:
    batch = a_batch()
    at("execute.after_turn", cut_fences)

    with pytest.raises(DatabaseUnavailable):
        execute_slices(batch)

    assert (broker.placements, statuses(batch)) == ([], [SliceStatus.SENDING] * 4)
    assert expire_claims(later(settings().lease)) == 4
    assert statuses(batch) == [SliceStatus.UNKNOWN] * 4


def test_every_answer_is_recorded_though_the_fence_was_cut_after_it(broker: SimulatedBroker) -> None:
    batch = lone_slices(4)
    broker.answers = [answer_with(Refused("MarginException", "no funds")), answer_with(NotSent("AWAY", "away"))]
    broker.answers += [accept_but_lose_the_answer]
    at("execute.after_send", cut_fences)

    attempts = execute_slices(batch)

    assert sorted(statuses(batch)) == ["REJECTED", "SCHEDULED", "UNKNOWN", "WORKING"]
    assert (set(attempts.made), attempts.failed) == (set(batch), {})


def test_an_order_that_is_locked_for_long_holds_up_no_record_but_its_own(broker: SimulatedBroker) -> None:
    (locked, hung, other), hanging = lone_slices(3), Hanging()
    answers = {locked: answer_with(Refused("MarginException", "no funds")), hung: hanging, other: accept}

    def place(placement: Placement, _not_after: float) -> str:
        (slice_id,) = (one for one in answers if a_slice(one).client_order_id == placement.client_order_id)
        return answers[slice_id](broker, placement)

    broker.place = place  # type: ignore[method-assign]
    lock = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE").bindparams(id=a_slice(locked).order_id)
    with db.engine().connect() as holder:

        def look() -> None:
            # An answer that comes before the others are taken would be recorded with them.
            wait_until(lambda: count(WAITERS), 10, "a record that waits for the order")
            hanging.let_go()
            wait_until(lambda: statuses([hung, other]) == [SliceStatus.WORKING] * 2, 10, "the others' records")
            assert a_slice(locked).status is SliceStatus.SENDING
            assert not is_free(locked)
            holder.rollback()

        at("execute.after_send", lambda: holder.execute(lock))
        attempts = while_hanging([locked, hung, other], hanging, look)

    assert (a_slice(locked).status, attempts.failed) == (SliceStatus.REJECTED, {})


def test_a_worker_that_dies_among_the_answers_leaves_each_slice_to_the_sweeps(broker: SimulatedBroker) -> None:
    batch = a_batch()

    def die() -> None:
        raise WorkerDied

    at("execute.after_send", die)
    with pytest.raises(WorkerDied):
        execute_slices(batch)

    assert (statuses(batch), count(FENCES)) == ([SliceStatus.SENDING] * 4, 0)


def test_what_finds_no_room_in_this_process_stops_by_itself(broker: SimulatedBroker) -> None:
    batch, room = lone_slices(3), iter([True, False, True])

    def wait_for_turn(_seconds: float) -> None:
        if not next(room):
            raise NotSent("OWN_RATE_LIMIT", "no room under 10 orders a second")

    broker.wait_for_turn = wait_for_turn  # type: ignore[method-assign]
    execute_slices(batch)

    assert sorted(statuses(batch)) == ["SCHEDULED", "WORKING", "WORKING"]


def cut_fences() -> None:
    holders = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    with db.transaction() as session:
        session.execute(text(f"SELECT pg_terminate_backend(pid, 2000) FROM ({holders}) AS holders"))
