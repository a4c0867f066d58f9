"""The slices of all threads of a process are fenced in one session: what becomes of them with it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from api_contract.vocabulary import SliceStatus
from pulse_core import db, failpoints, sending_fence
from pulse_core.brokers.port import Placement
from pulse_core.errors import DatabaseUnavailable
from pulse_core.sending_fence import fence_together
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.execute import execute_slice
from tests.support.broker import SimulatedBroker, accept
from tests.support.factories import a_slice, a_split_order, slices_of
from tests.support.processes import in_a_child, wait_until

LOCKS = "SELECT count(*), count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
HOLDERS = "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.fixture(autouse=True)
def no_actions() -> Iterator[None]:
    yield
    failpoints.actions.clear()


def locks() -> tuple[int, int]:
    """How many fences there are, and how many sessions hold them."""
    with db.transaction() as session:
        fences, sessions = session.execute(text(LOCKS)).one()
    return fences, sessions


def cut() -> None:
    with db.transaction() as session:
        cut = session.scalars(text(f"SELECT pg_terminate_backend(pid, 5000) FROM ({HOLDERS}) AS holders")).all()
    assert cut == [True]


def a_due_slice() -> str:
    return slices_of(a_split_order())[0].id


def is_free(slice_id: str) -> bool:
    with db.fence(slice_id) as fence:
        return fence is not None


class Gate:
    """Where a thread of a worker stands still until it is let go on."""

    def __init__(self) -> None:
        self.is_reached, self._may_go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.is_reached.set()
        assert self._may_go_on.wait(20)

    def let_go(self) -> None:
        self._may_go_on.set()


class AtTheBroker(Gate):
    """The broker's answer to one placement, which comes when it is let go."""

    def answer(self, broker: SimulatedBroker, placement: Placement) -> str:
        self()
        return accept(broker, placement)


@contextmanager
def standing(worker: ThreadPoolExecutor, slice_id: str, gate: Gate) -> Iterator[Future[object]]:
    """A thread that sends a slice and stands at this gate."""
    sent: Future[object] = worker.submit(execute_slice, slice_id)
    try:
        assert gate.is_reached.wait(10)
        yield sent
    finally:
        gate.let_go()


def test_threads_of_one_process_keep_each_other_off_a_slice(broker: SimulatedBroker) -> None:
    with fence_together(["sl_1", "sl_2"]) as fence:
        with ThreadPoolExecutor(1) as other, fence_together(["sl_2", "sl_3"]) as here:
            there = other.submit(lambda: fence_together(["sl_1", "sl_3"]).__enter__().slice_ids)
            assert (fence.slice_ids, here.slice_ids, there.result(10)) == (("sl_1", "sl_2"), ("sl_3",), ())
            assert locks() == (3, 1)
        assert locks() == (2, 1)
        fence.keep(["sl_2"])
        assert (is_free("sl_1"), is_free("sl_2")) == (True, False)
        with fence_together(["sl_1"]) as again:
            assert again.slice_ids == ("sl_1",)
    assert (locks(), db.pool_status().in_use) == ((0, 0), 0)


def test_what_is_resolved_is_not_sent_and_the_reverse(broker: SimulatedBroker) -> None:
    with db.fence("sl_1"), fence_together(["sl_1", "sl_2"]) as fence:
        assert fence.slice_ids == ("sl_2",)
        assert not is_free("sl_2")


def test_placements_that_hang_bind_one_connection(broker: SimulatedBroker) -> None:
    gates = [AtTheBroker() for _ in range(24)]
    broker.answers = [gate.answer for gate in gates]
    slice_ids = [a_due_slice() for _ in gates]

    with ThreadPoolExecutor(24) as workers:
        sent = [workers.submit(execute_slice, one) for one in slice_ids]
        try:
            assert all(gate.is_reached.wait(20) for gate in gates)
            wait_until(lambda: db.pool_status().in_use == 1, 5, "one connection in use")
            assert locks() == (24, 1)
        finally:
            for gate in gates:
                gate.let_go()
        for one in sent:
            one.result(20)

    assert {a_slice(one).status for one in slice_ids} == {SliceStatus.WORKING}
    assert (locks(), db.pool_status().in_use) == ((0, 0), 0)


def test_with_its_session_go_the_slices_that_are_not_on_the_wire(broker: SimulatedBroker) -> None:
    before_look, on_wire, later = Gate(), AtTheBroker(), AtTheBroker()
    claimed, sent, fresh = a_due_slice(), a_due_slice(), a_due_slice()
    turns = iter([lambda: None, before_look])
    broker.wait_for_turn = lambda _seconds: next(turns, lambda: None)()  # type: ignore[method-assign]
    broker.answers = [on_wire.answer, later.answer]

    with (
        ThreadPoolExecutor(3) as workers,
        standing(workers, sent, on_wire) as of_sent,
        standing(workers, claimed, before_look) as of_claimed,
    ):
        assert locks() == (2, 1)
        cut()
        # Another session of the process holds what comes after, and is no proof for what the lost one held.
        with standing(workers, fresh, later) as of_fresh:
            assert locks() == (1, 1)
            before_look.let_go()
            assert isinstance(of_claimed.exception(10), DatabaseUnavailable)
        on_wire.let_go()
        assert [of_sent.exception(10), of_fresh.exception(10)] == [None, None]

    statuses = [a_slice(one).status for one in (claimed, sent, fresh)]
    assert statuses == [SliceStatus.SENDING, SliceStatus.WORKING, SliceStatus.WORKING]
    assert len(broker.placements) == 2
    assert (locks(), db.pool_status().in_use) == ((0, 0), 0)


def test_who_has_lost_a_slice_with_the_session_does_not_let_it_go_for_who_has_it_now(broker: SimulatedBroker) -> None:
    with fence_together(["sl_1"]) as lost:
        cut()
        with pytest.raises(DatabaseUnavailable), lost.statement() as connection:
            connection.execute(text("SELECT 1"))
        with fence_together(["sl_1"]) as taken_over:
            assert taken_over.slice_ids == ("sl_1",)
            lost.keep(())
            assert (locks(), is_free("sl_1")) == ((1, 1), False)
            with fence_together(["sl_1"]) as third:
                assert third.slice_ids == ()


def test_a_session_that_hangs_holds_up_others_for_no_longer_than_their_patience(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_fence, "PATIENCE", 0.05)
    asking: Callable[[], object] = fence_together(["sl_2"]).__enter__

    with fence_together(["sl_1"]) as fence, ThreadPoolExecutor(1) as other:
        with fence.statement():
            assert isinstance(other.submit(asking).exception(10), DatabaseUnavailable)
        with fence_together(["sl_2"]) as now:
            assert now.slice_ids == ("sl_2",)


def test_a_child_forked_while_a_thread_uses_the_session_does_not_wait_for_it(broker: SimulatedBroker) -> None:
    def use() -> str:
        with fence_together(["sl_1", "sl_2"]) as fence:
            return ",".join(fence.slice_ids)

    with fence_together(["sl_1"]) as fence, fence.statement():
        assert in_a_child(use) == "sl_2"


def test_nothing_is_claimed_over_a_connection_to_another_database(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_due_slice()
    asked = iter([True])

    def is_cleared(_account: str) -> bool:
        return next(asked, False)

    monkeypatch.setattr(sending_hold, "is_cleared", is_cleared)
    execute_slice(one)

    assert (a_slice(one).status, a_slice(one).attempts, broker.placements) == (SliceStatus.SCHEDULED, 0, [])
