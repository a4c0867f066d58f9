"""Slices go out in their turns under the broker's limits, which all workers share."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import config, db, queue
from pulse_core.brokers.port import RATE_LIMITED, NotSent
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.metrics import totals
from pulse_core.owner import OneAccount
from pulse_core.queue import Wakeup
from pulse_core.trading.admission import admit, plan
from pulse_core.trading.admission.left import budget_left
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.order import split
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice import claiming
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store import installation, turns
from pulse_core.trading.tables import Order, OrderSlice, Placement
from pulse_core.trading.turn_tables import BrokerBudget, BrokerTurn
from pulse_tasks import watch
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_slice, a_split_order, an_account, slices_of, without_pace
from tests.support.limits import set_limits
from tests.support.processes import wait_until
from tests.support.statements import statements
from tests.support.watching import look

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def limits(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Those of Kite, and no message reaches anybody."""
    # By the hand that tests use as well: of two, the one that puts back last would put back what the other had set.
    monkeypatch.setattr(queue, "wake", lambda *_args, **_named: None)
    monkeypatch.setattr(queue, "send", lambda _wakeups: None)
    monkeypatch.setattr(queue, "send_soon", lambda _wakeups: None)
    monkeypatch.setattr(watch, "_charge", watch._Charge())
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, 10, 400, 5000)
        yield
    config.settings.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Wakeup]:
    wakeups: list[Wakeup] = []
    monkeypatch.setattr(queue, "send", wakeups.extend)
    return wakeups


def due_order(slices: int = 5, account_id: str | None = None, due: datetime | None = None) -> str:
    """An order all of whose slices have come due by `due`, and none of which has a turn."""
    due = due or utcnow()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "dispatch_turns_soon", lambda: None)
        order_id = a_split_order(due - MINUTE, account_id, duration_minutes=1, num_splits=slices, total_quantity=slices)
    without_pace(order_id)
    with db.transaction() as session:
        at_once = update(OrderSlice).where(OrderSlice.order_id == order_id)
        session.execute(at_once.values(due_at=due, scheduled_at=due))
    return order_id


def number_given(now: datetime) -> int:
    """How many slices are given a turn now."""
    return sum(one.given for one in admit.admit(now))


def given() -> Sequence[BrokerTurn]:
    with db.transaction() as session:
        return session.scalars(select(BrokerTurn).order_by(BrokerTurn.at, BrokerTurn.id)).all()


def budget() -> BrokerBudget:
    with db.transaction() as session:
        return session.get_one(BrokerBudget, "paper")


def untold(now: datetime) -> Collection[str]:
    """What the watch would take."""
    with db.statement() as connection:
        return turns.untold(connection, "paper", now - admit.TURN_LASTS, now + SECOND, 64)


def send_all_in_turn(since: datetime, until: datetime) -> None:
    """Let time pass between two instants: turns are given every second, and each is used."""
    while since < until:
        admit.admit(since)
        since += SECOND
        with db.transaction() as session:
            rows = select(OrderSlice.id, OrderSlice.turn_at).where(OrderSlice.turn_at < since)
            ready = session.execute(rows.order_by(OrderSlice.turn_at)).all()
        for slice_id, turn_at in ready:
            execute_slice(slice_id, lambda at=turn_at: at)


def test_a_lone_slice_that_is_due_has_its_turn_as_soon_as_its_order_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Wakeup] = []
    monkeypatch.setattr(queue, "send_soon", told.extend)

    first, *_others = slices_of(a_split_order())

    assert first.turn_at is not None
    assert [(one.args, one.eta) for one in told] == [((first.id,), first.turn_at)]
    execute_slice(first.id, lambda: first.turn_at or utcnow())
    assert a_slice(first.id).status is SliceStatus.WORKING


def test_a_slice_without_a_turn_is_not_claimed(broker: SimulatedBroker) -> None:
    one = slices_of(due_order())[0]

    assert execute_slice(one.id) is None

    assert (a_slice(one.id).attempts, broker.placements) == (0, [])


@pytest.mark.parametrize(("late", "is_sent"), [(-0.001, False), (0.0, True), (1.0, True), (1.001, False)])
def test_a_turn_counts_from_its_instant_for_a_second(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, late: float, is_sent: bool
) -> None:
    one = slices_of(due_order())[0]
    now = utcnow() + SECOND
    monkeypatch.setattr("pulse_core.trading.slice.claiming._look", lambda *_: claiming._Look(now))
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id == one.id).values(turn_at=now))

    execute_slice(one.id, lambda: now + timedelta(seconds=late))

    assert len(broker.placements) == is_sent


def test_a_worker_that_is_a_little_early_waits_for_the_turn(broker: SimulatedBroker) -> None:
    one = slices_of(due_order())[0]
    turn_at = utcnow() + timedelta(seconds=0.3)
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id == one.id).values(turn_at=turn_at))

    execute_slice(one.id)

    sent_at = a_slice(one.id).sent_at
    assert sent_at is not None
    assert turn_at <= sent_at


def test_a_turn_is_good_for_one_call(broker: SimulatedBroker) -> None:
    broker.answers = [answer_with(NotSent("UNREACHABLE", "away"))]
    one = slices_of(due_order())[0]
    now = utcnow()
    admit.admit(now)

    execute_slice(one.id, lambda: now)
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id == one.id).values(due_at=now))

    assert execute_slice(one.id, lambda: now) is None
    again = a_slice(one.id)
    assert (again.status, again.attempts, again.turn_at, again.admitted_at) == (SliceStatus.SCHEDULED, 1, None, now)
    admit.admit(now)
    assert a_slice(one.id).turn_at == now


def test_accounts_have_turns_and_within_them_their_orders() -> None:
    now = utcnow()
    ann, bob = an_account(), an_account()
    long, short = due_order(20, ann, now - 3 * SECOND), due_order(20, ann, now - 2 * SECOND)
    other = due_order(20, bob, now - SECOND)

    admit.admit(now)

    order_ids = [one.order_id for one in given()]
    assert order_ids[:8] == [long, other, short, other, long, other, short, other]


def test_whoever_was_served_last_comes_last_in_the_next_round() -> None:
    now, accounts = utcnow(), [an_account() for _ in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, 2)
        for number, account in enumerate(accounts):
            due_order(50, account, now - timedelta(seconds=30 - number))
        send_all_in_turn(now, now + 8 * SECOND)
        served = Counter(one.account_id for one in given())

    assert set(served) == set(accounts)
    assert max(served.values()) - min(served.values()) <= 1


def test_a_newcomer_does_not_wait_for_the_rush_of_another(broker: SimulatedBroker) -> None:
    now = utcnow()
    for _ in range(2):
        due_order(100, due=now)
    send_all_in_turn(now, now + 3 * SECOND)

    newcomer = due_order(5, due=now + 3 * SECOND)
    send_all_in_turn(now + 3 * SECOND, now + 8 * SECOND)

    sent_at = [one.admitted_at for one in slices_of(newcomer)]
    assert None not in sent_at
    ahead = timedelta(microseconds=plan.AHEAD)
    assert max(filter(None, sent_at)) <= now + 3 * SECOND + ahead + timedelta(seconds=1.5)
    assert len(broker.placements) >= 50


def test_what_waits_costs_no_attempt_no_placement_and_no_message(sent: list[Wakeup]) -> None:
    now = utcnow()
    order_id = due_order(60, due=now)

    dispatch_due_slices(now)
    for one in slices_of(order_id):
        if one.turn_at is None:
            execute_slice(one.id, lambda: now)
    dispatch_due_slices(now)

    with db.transaction() as session:
        assert session.scalars(select(Placement)).all() == []
    assert sum(len(one.args) for one in sent) == len(given()) <= 14


def test_a_missed_turn_is_given_anew_and_was_no_call(sent: list[Wakeup]) -> None:
    now = utcnow()
    order_id = due_order(3, due=now)
    dispatch_due_slices(now)
    first = {one.id: one.turn_at for one in slices_of(order_id)}

    dispatch_due_slices(now + admit.TURN_LASTS)
    assert {one.id: one.turn_at for one in slices_of(order_id)} == first

    late = now + admit.TURN_LASTS + timedelta(seconds=0.1)
    dispatch_due_slices(late)
    assert {one.turn_at for one in slices_of(order_id)} == {late}
    assert (len(given()), budget().calls_of_day) == (3, 3)
    assert Counter(slice_id for one in sent for slice_id in one.args) == Counter(list(first) * 2)


def test_a_slice_whose_messages_lead_to_nothing_is_left_to_the_watch(sent: list[Wakeup]) -> None:
    now = utcnow()
    (one, *_) = slices_of(due_order(2, due=now))
    dispatch_due_slices(now)
    assert not untold(now)
    sent.clear()

    later = now + timedelta(seconds=settings().overdue_after + 0.5)
    dispatch_due_slices(later)

    assert sent == []
    assert one.id in untold(later)


def test_a_turn_that_is_never_used_counts_no_longer_once_it_is_old() -> None:
    now = utcnow()
    ann = an_account()
    order_id = due_order(3, ann, now)
    admit.admit(now)
    execute_slice(slices_of(order_id)[0].id, lambda: now)
    cancel_order(OneAccount(ann), order_id, now, ann)
    assert budget().calls_of_day == 3

    due_order(1 + 1, due=now + 2 * MINUTE)
    admit.admit(now + 2 * MINUTE)

    assert (len(given()), budget().calls_of_day) == (2, 1 + 2)


def test_admissions_at_once_keep_the_limits_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        due_order(50)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: admit.admit(), range(24)))

    at = [one.at for one in given()]
    assert len({one.slice_id for one in given()}) == len(at)
    assert all(eleventh - first >= SECOND for first, eleventh in zip(at, at[10:], strict=False))


def test_an_admission_that_somebody_else_came_before_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    due_order(20, due=now)
    give, rivals = turns.give, [1]

    def come_before(*values: Any, **named: Any) -> Any:
        if rivals:
            rivals.pop()
            # Of what was planned for the first order some is left, at instants that are taken by then.
            due_order(20, due=now)
            admit.admit(now)
        return give(*values, **named)

    monkeypatch.setattr(turns, "give", come_before)
    admit.admit(now)

    at = [one.at for one in given()]
    assert len({one.slice_id for one in given()}) == len(at)
    assert all(eleventh - first >= SECOND for first, eleventh in zip(at, at[10:], strict=False))


def test_a_process_that_dies_while_it_admits_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    due_order(3, due=now)

    class Died(BaseException):
        pass

    def die(*_values: Any, **_named: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(turns, "give", die)
        with pytest.raises(Died):
            admit.admit(now)

    assert number_given(now) == 3


def test_a_minute_and_a_day_have_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    with monkeypatch.context() as patch:
        set_limits(patch, 10, per_minute=21, per_day=0)
        due_order(100, due=now)
        send_all_in_turn(now, now + 5 * SECOND)
        assert len(given()) == 20
        assert budget().room_at >= now + MINUTE
        set_limits(patch, 10, per_minute=0, per_day=31)
        send_all_in_turn(now + MINUTE, now + MINUTE + 4 * SECOND)
        assert budget().calls_of_day == 30
        send_all_in_turn(now + 3 * MINUTE, now + 3 * MINUTE + SECOND)
        assert budget().calls_of_day == 30


def test_the_next_day_has_its_own_calls(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.is_book_daily = True
    now = utcnow()
    with monkeypatch.context() as patch:
        set_limits(patch, 10, per_day=2)
        due_order(5, due=now)
        assert number_given(now) == 1
        with db.transaction() as session:
            session.execute(update(BrokerBudget).values(day=(now - timedelta(days=1)).date()))
        assert number_given(now) == 1
        assert number_given(now) == 0


def test_a_placement_that_is_refused_for_the_rate_marks_the_window_full(broker: SimulatedBroker) -> None:
    now = utcnow()
    one = slices_of(due_order(2, due=now))[0]
    admit.admit(now)
    broker.answers = [answer_with(NotSent(RATE_LIMITED, "too many"))]

    execute_slice(one.id, lambda: now)

    assert budget().full_until is not None


def test_turns_in_a_window_that_is_full_are_withdrawn_and_given_after_it() -> None:
    now = utcnow()
    order_id = due_order(12, due=now)
    admit.admit(now)

    admit.note_full("paper", now)

    full_until = now + timedelta(seconds=1.2)
    assert [one.turn_at for one in slices_of(order_id) if one.turn_at and now < one.turn_at < full_until] == []
    assert number_given(now) > 0
    assert not any(now < one.at < full_until for one in given())
    assert budget().calls_of_day == len(given())


def test_each_refusal_soon_after_a_pause_doubles_it_up_to_a_minute() -> None:
    now = utcnow()
    due_order(2, due=now)
    admit.admit(now)
    admit.note_full("paper", now)
    admit.note_full("paper", now)
    assert budget().full_until == now + timedelta(seconds=1.2)

    pauses = []
    for _ in range(7):
        now = at_the_end_of_the_pause()
        admit.note_full("paper", now)
        pauses.append((at_the_end_of_the_pause() - now).total_seconds())

    assert pauses == [2.4, 4.8, 9.6, 19.2, 38.4, 60.2, 60.2]
    assert number_given(now + 30 * SECOND) == 0
    assert number_given(now + 62 * SECOND) == 2


def test_a_refusal_long_after_a_pause_says_nothing_of_longer_windows() -> None:
    now = utcnow()
    due_order(2, due=now)
    admit.admit(now)
    admit.note_full("paper", now)

    admit.note_full("paper", now + 7 * SECOND)

    assert budget().full_until == now + 7 * SECOND + timedelta(seconds=1.2)


def at_the_end_of_the_pause() -> datetime:
    full_until = budget().full_until
    assert full_until is not None
    return full_until


def test_cancels_take_the_turns_of_placements_and_wait_a_second_at_most(broker: SimulatedBroker) -> None:
    now, ann = utcnow(), an_account()
    working = due_order(4, ann, now - 2 * SECOND)
    send_all_in_turn(now - 2 * SECOND, now - SECOND)
    rush = due_order(60, due=now)
    admit.admit(now)
    cancel_order(OneAccount(ann), working, now, ann)
    before = len(given())

    assert cancel_slices(now) == 4

    assert len(broker.cancels) == 4
    cancels = [one.at for one in given() if one.is_cancel]
    assert len(cancels) == 4
    assert max(cancels) <= now + SECOND
    assert len(given()) == before
    assert {one.turn_at for one in slices_of(rush)}.isdisjoint(cancels)
    at = [one.at for one in given()]
    assert all(eleventh - first >= SECOND for first, eleventh in zip(at, at[10:], strict=False))


def test_a_cancel_that_is_refused_for_the_rate_marks_the_window_full(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = an_account()
    order_id, now = due_order(2, ann), utcnow()
    admit.admit(now)
    execute_slice(slices_of(order_id)[0].id, lambda: now)
    cancel_order(OneAccount(ann), order_id, utcnow(), ann)

    def refuse(_broker_order_id: str) -> None:
        raise NotSent(RATE_LIMITED, "too many")

    monkeypatch.setattr(broker, "cancel", refuse)
    cancel_slices(utcnow())

    assert budget().full_until is not None


def test_nothing_is_given_while_sending_is_held_or_to_an_order_that_does_not_run() -> None:
    now = utcnow()
    order_id = due_order(3, due=now)
    with db.transaction() as session:
        installation.hold(session, HoldCode.CLAIMS_WERE_LOST, now)
    assert number_given(now) == 0
    with db.transaction() as session:
        installation.release(session)

    for status, are_given in ((OrderStatus.PAUSED, False), (OrderStatus.IN_PROGRESS, True)):
        with db.transaction() as session:
            session.execute(update(Order).where(Order.id == order_id).values(status=status))
        assert (number_given(now) > 0) is are_given


def test_a_slice_whose_window_is_over_is_skipped_without_a_turn() -> None:
    now = utcnow() + timedelta(seconds=settings().late_grace) + MINUTE
    order_id = due_order(3)

    dispatch_due_slices(now)

    assert {one.status for one in slices_of(order_id)} == {SliceStatus.SKIPPED}
    assert given() == []


def test_what_waits_for_its_turn_is_not_overdue_and_what_nobody_takes_is(monkeypatch: pytest.MonkeyPatch) -> None:
    since = utcnow() - timedelta(seconds=30)
    with monkeypatch.context() as patch:
        set_limits(patch, 1)
        due_order(20, due=since)
        admit.admit()
        found = totals.read().standing
        assert found is not None
        assert found.ages["overdue"] < 20
        assert found.ages["turn_wait"] >= 30

    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.turn_at.is_not(None)).values(hinted_until=since))
    found = totals.read().standing
    assert found is not None
    assert found.ages["overdue"] >= 30


def test_the_watch_gives_turns_only_where_nobody_else_does(broker: SimulatedBroker) -> None:
    one, *_ = slices_of(due_order(2, due=utcnow() - timedelta(seconds=settings().overdue_after + 1)))
    admit.admit(utcnow() - timedelta(minutes=10))
    with db.transaction() as session:
        session.execute(update(BrokerBudget).values(given_at=utcnow()))
    look(watch)
    assert (a_slice(one.id).turn_at, broker.placements) == (None, [])

    with db.transaction() as session:
        long_ago = utcnow() - timedelta(seconds=settings().overdue_after + 1)
        session.execute(update(BrokerBudget).values(given_at=long_ago, room_at=long_ago))
    wait_until(lambda: look(watch) or a_slice(one.id).status is SliceStatus.WORKING)


def test_the_watch_takes_nothing_where_every_thread_has_work(broker: SimulatedBroker) -> None:
    due_order(2, due=utcnow() - timedelta(seconds=settings().overdue_after + 1))

    look(watch, lambda: 0)

    assert broker.placements == []


def test_messages_that_cannot_be_sent_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_wakeups: object) -> None:
        raise ConnectionError

    one, now = slices_of(due_order(2))[0], utcnow()
    monkeypatch.setattr(queue, "send", fail)
    with pytest.raises(ConnectionError):
        dispatch_due_slices(now)

    assert one.id in untold(now)


def test_the_budget_that_is_left_is_that_of_all_workers(broker: SimulatedBroker) -> None:
    now = utcnow()
    assert budget_left(broker) is None
    due_order(3, due=now)
    admit.admit(now)

    assert budget_left(broker, now) == {"second": 7, "minute": 377, "day": 4747}


def test_without_a_limit_a_slice_takes_no_statement_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        set_limits(patch, 0)
        with statements() as made:
            order_id = a_split_order()
            dispatch_due_slices(utcnow())
            execute_slice(slices_of(order_id)[0].id)
            look(watch)
    assert a_slice(slices_of(order_id)[0].id).status is SliceStatus.WORKING
    assert [one for one in made if "broker_turns" in one or "broker_budgets" in one] == []
