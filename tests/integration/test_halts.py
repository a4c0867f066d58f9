"""A halt: nothing new on the wire, what works is called back first, and a receipt that is right at every moment."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from api_contract.alarms import AlarmStatus
from api_contract.errors import Forbidden, Halted, InvalidRequest, InvalidState, NotFound
from api_contract.vocabulary import (
    HaltedState,
    HaltedWorking,
    HaltStatus,
    HoldReason,
    OrderStatus,
    SliceStatus,
)
from pulse_core import config, db, failpoints
from pulse_core.boottime import boottime
from pulse_core.brokers.port import OutcomeUnknown
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.identity.tables import AuditEntry
from pulse_core.metrics.totals import read as read_totals
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.trading import inbox
from pulse_core.trading.admission import admit
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.halts.halting import halt, release
from pulse_core.trading.halts.receipt import HaltReport, halt_page, halt_report, halted_slices
from pulse_core.trading.halts.watch import watch_halts
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order
from pulse_core.trading.order.queries import order_report
from pulse_core.trading.order.recheck import recheck_holds
from pulse_core.trading.slice.cancel_working import PAUSES, cancel_slices
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import alarms, at_broker, slices
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.store.halts import HaltScope
from pulse_core.trading.turn_tables import BrokerTurn
from pulse_core.trading.vocabulary import CancelReason
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_new_order, a_slice, a_split_order, an_account, order, slices_of
from tests.support.limits import set_limits

EVERYTHING = HaltScope()
ALL = EveryAccount()


@pytest.fixture(autouse=True)
def no_failpoints() -> Iterator[None]:
    yield
    failpoints.actions.clear()


def halt_now(scope: HaltScope = EVERYTHING, working: HaltedWorking = HaltedWorking.CANCEL) -> HaltReport:
    return halt(ALL, scope, working, "prices make no sense", "ann", utcnow())[0]


def a_working_slice(**changes: object) -> str:
    """The id of the first slice of an order, which is at the broker."""
    first = slices_of(a_split_order(**changes))[0]  # type: ignore[arg-type]
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.WORKING
    return first.id


def counts(report: HaltReport) -> dict[HaltedState, int]:
    return {state: share.count for state, share in report.slices.items() if share.count}


def told(order_id: str) -> list[EventKind]:
    with db.transaction() as session:
        kinds = (EventKind.HELD, EventKind.RELEASED)
        rows = select(SliceEvent.kind).where(SliceEvent.order_id == order_id, SliceEvent.kind.in_(kinds))
        return list(session.scalars(rows.order_by(SliceEvent.id)))


def alarms_of(code: AlarmCode) -> list[Alarm]:
    with db.transaction() as session:
        return list(alarms.page(session, AlarmFilters(code=code), 10, None))


def turns_taken() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(BrokerTurn)) or 0


def audited() -> list[str]:
    with db.transaction() as session:
        rows = select(AuditEntry.action).where(AuditEntry.action.like("halt.%")).order_by(AuditEntry.id)
        return list(session.scalars(rows))


@pytest.mark.parametrize("part", ["everything", "account", "broker account", "instrument", "account and instrument"])
def test_nothing_that_a_halt_covers_is_claimed(broker: SimulatedBroker, part: str) -> None:
    account = an_account()
    scopes = {
        "everything": HaltScope(),
        "account": HaltScope(account_id=account),
        "broker account": HaltScope(broker_account="paper"),
        "instrument": HaltScope(instrument="NSE:RELIANCE"),
        "account and instrument": HaltScope(account, None, "NSE:RELIANCE"),
    }
    order_id = a_split_order(account_id=account)
    first = slices_of(order_id)[0]
    halt_now(scopes[part])

    assert execute_slice(first.id) is None
    assert dispatch_due_slices(utcnow()) == 0

    assert (a_slice(first.id).status, a_slice(first.id).attempts) == (SliceStatus.SCHEDULED, 0)
    assert broker.placements == []
    held = order_report(ALL, order_id).held
    assert held is not None
    assert (held.reason, held.message) == (HoldReason.HALTED, "prices make no sense")
    assert told(order_id) == [EventKind.HELD]


def test_orders_that_a_halt_does_not_cover_go_on(broker: SimulatedBroker) -> None:
    mine, theirs = an_account(), an_account()
    halt_now(HaltScope(account_id=mine))
    halt_now(HaltScope(instrument="NSE:INFY"))

    first = slices_of(a_split_order(account_id=theirs))[0]
    execute_slice(first.id)

    assert a_slice(first.id).status is SliceStatus.WORKING
    assert order_report(ALL, first.order_id).held is None


def test_what_was_claimed_before_the_halt_is_stopped_at_the_last_look(broker: SimulatedBroker) -> None:
    batch = [slices_of(a_split_order())[0].id for _ in range(3)]
    failpoints.actions["execute.after_claim"] = lambda: failpoints.actions.clear() or (halt_now() and None)

    execute_slices(batch).check()

    assert broker.placements == []
    stopped = [a_slice(one) for one in batch]
    assert {(one.status, one.error_code, one.failures) for one in stopped} == {(SliceStatus.SCHEDULED, "HELD", 0)}
    [found] = halt_page(ALL, is_released=False, limit=10, cursor=None).halts
    assert found.is_quiet
    assert found.slices[HaltedState.UNSENT].count == 15


def test_a_request_leaves_within_a_second_of_the_last_look_or_never(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []
    place = broker.place
    monkeypatch.setattr(
        broker, "place", lambda placement, not_after: given.append(not_after) or place(placement, not_after)
    )
    before = boottime()
    execute_slice(slices_of(a_split_order())[0].id)

    assert given[0] - before < settings().lease - settings().broker_timeout
    assert given[0] <= boottime() + 1


def test_what_works_is_called_back_before_anything_else_and_the_receipt_tells_of_it(broker: SimulatedBroker) -> None:
    past_deadline = a_working_slice(instrument="NSE:INFY")
    working = [a_working_slice() for _ in range(3)]
    broker.fill(a_slice(working[0]).broker_order_id or "", 8)
    broker.fill(a_slice(working[1]).broker_order_id or "")
    with db.transaction() as session:
        slices.change(session, past_deadline, utcnow(), deadline_at=utcnow())
    made = halt_now(HaltScope(instrument="NSE:RELIANCE"))

    assert counts(made) == {HaltedState.WORKING: 3, HaltedState.UNSENT: 12}
    assert not made.is_quiet
    with db.transaction() as session:
        found = at_broker.to_cancel(session, "paper", utcnow() - timedelta(days=1), utcnow(), PAUSES, 3)
    assert {one.id for one, is_halted in found if is_halted} == set(working)
    cancel_slices(utcnow())
    track_slices(utcnow())

    ended = halt_report(ALL, made.halt_id)
    assert counts(ended) == {HaltedState.CANCELLED: 2, HaltedState.FILLED: 1, HaltedState.UNSENT: 12}
    assert ended.is_quiet
    assert ended.quiet_after_ms is not None
    assert ended.slices[HaltedState.CANCELLED].leaves_quantity == 32
    assert ended.slices[HaltedState.CANCELLED].filled_meanwhile == 8
    assert ended.slices[HaltedState.FILLED].filled_meanwhile == 20
    first = a_slice(working[0])
    assert (first.status, first.filled_quantity, first.cancel_reason) == (
        SliceStatus.CANCELLED,
        8,
        CancelReason.HALTED,
    )
    assert order(first.order_id).status is OrderStatus.IN_PROGRESS


def test_what_had_been_filled_before_the_halt_was_not_filled_meanwhile(broker: SimulatedBroker) -> None:
    one, ended = a_working_slice(), a_working_slice()
    broker.fill(a_slice(one).broker_order_id or "", 8)
    broker.fill(a_slice(ended).broker_order_id or "")
    track_slices(utcnow())
    made = halt_now()
    broker.fill(a_slice(one).broker_order_id or "", 5)

    cancel_slices(utcnow())
    track_slices(utcnow())

    found = halt_report(ALL, made.halt_id).slices
    assert (found[HaltedState.CANCELLED].count, found[HaltedState.CANCELLED].filled_meanwhile) == (1, 5)
    assert found[HaltedState.FILLED].count == 0
    [shown] = halted_slices(ALL, made.halt_id, None, 10, None).slices
    assert (shown.slice_id, shown.quantity, shown.filled_quantity, shown.filled_meanwhile) == (one, 20, 13, 5)


def test_a_halt_that_keeps_what_works_calls_nothing_back(broker: SimulatedBroker) -> None:
    a_working_slice()
    made = halt_now(working=HaltedWorking.KEEP)

    assert cancel_slices(utcnow()) == 0
    assert made.is_quiet
    assert counts(made)[HaltedState.WORKING] == 1

    stricter = halt_now()
    assert stricter.halt_id == made.halt_id
    assert not stricter.is_quiet
    assert cancel_slices(utcnow()) == 1


def test_a_slice_that_nobody_knows_the_fate_of_keeps_the_halt_from_being_quiet(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    broker.answers.append(answer_with(OutcomeUnknown("NO_ANSWER", "no answer")))
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.UNKNOWN

    made = halt_now()

    assert counts(made)[HaltedState.UNKNOWN] == 1
    assert not made.is_quiet


def test_repeating_a_halt_of_the_same_scope_answers_the_same_halt(broker: SimulatedBroker) -> None:
    first, is_first = halt(ALL, EVERYTHING, HaltedWorking.CANCEL, "one", "ann", utcnow())
    again, is_new = halt(ALL, EVERYTHING, HaltedWorking.CANCEL, "two", "bob", utcnow())
    other, is_other = halt(ALL, HaltScope(instrument="NSE:INFY"), HaltedWorking.CANCEL, "three", "bob", utcnow())

    assert (is_first, is_new, is_other) == (True, False, True)
    assert (again.halt_id, again.reason, again.made_by, again.made_by_name) == (first.halt_id, "one", "ann", "ann")
    assert other.halt_id != first.halt_id
    assert audited() == ["halt.make", "halt.make"]


def test_a_release_gives_what_was_missed_new_times_and_sends_no_rush(broker: SimulatedBroker) -> None:
    start = utcnow()
    order_id = a_split_order(start, duration_minutes=1)
    made = halt_now()
    released_at = start + timedelta(seconds=40)

    released = release(ALL, made.halt_id, "bob", released_at)

    assert (released.status, released.release_asked_by) == (HaltStatus.RELEASED, "bob")
    assert counts(released) == {}
    due = [one.due_at for one in slices_of(order_id) if one.status is SliceStatus.SCHEDULED]
    assert min(due) >= released_at
    assert len(set(due)) == len(due)
    assert order_report(ALL, order_id).held is None
    assert told(order_id) == [EventKind.HELD, EventKind.RELEASED]
    assert release(ALL, made.halt_id, "eve", released_at).release_asked_by == "bob"
    execute_slice(slices_of(order_id)[0].id, lambda: released_at + timedelta(seconds=1))
    assert len(broker.placements) == 1


def test_who_dies_before_the_release_is_complete_leaves_it_halted_and_a_sweep_completes_it(
    broker: SimulatedBroker,
) -> None:
    class Died(BaseException):
        pass

    def die() -> None:
        failpoints.actions.clear()
        raise Died

    first = slices_of(a_split_order())[0]
    made = halt_now()
    failpoints.actions["halt.release_asked"] = die
    with pytest.raises(Died):
        release(ALL, made.halt_id, "ann", utcnow())

    assert halt_report(ALL, made.halt_id).status is HaltStatus.RELEASING
    assert execute_slice(first.id) is None
    watch_halts(utcnow())
    assert halt_report(ALL, made.halt_id).status is HaltStatus.RELEASED


def test_halting_again_what_is_being_released_keeps_it_halted(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    made = halt_now()
    failpoints.actions["halt.before_release"] = lambda: failpoints.actions.clear() or (halt_now() and None)

    found = release(ALL, made.halt_id, "ann", utcnow())

    assert found.status is HaltStatus.ACTIVE
    assert execute_slice(first.id) is None
    assert audited() == ["halt.make", "halt.release", "halt.tighten"]


def test_who_dies_right_after_the_halt_has_halted_all_the_same(broker: SimulatedBroker) -> None:
    class Died(BaseException):
        pass

    def die() -> None:
        failpoints.actions.clear()
        raise Died

    working = a_working_slice()
    failpoints.actions["halt.after_commit"] = die
    with pytest.raises(Died):
        halt_now()

    assert execute_slice(slices_of(a_slice(working).order_id)[1].id) is None
    assert told(a_slice(working).order_id) == []
    watch_halts(utcnow())
    cancel_slices(utcnow())
    track_slices(utcnow())
    watch_halts(utcnow())
    assert told(a_slice(working).order_id) == [EventKind.HELD]
    [found] = halt_page(ALL, is_released=False, limit=10, cursor=None).halts
    assert found.is_quiet
    assert counts(found)[HaltedState.CANCELLED] == 1


def test_new_orders_are_refused_with_the_halt_and_a_repeat_finds_its_order(broker: SimulatedBroker) -> None:
    account = an_account()
    asked = a_new_order()
    accepted = submit_order(account, asked, utcnow())
    made = halt_now(HaltScope(account_id=account))

    assert submit_order(account, asked, utcnow()).order_id == accepted.order_id
    with pytest.raises(Halted) as refused:
        submit_order(account, a_new_order(), utcnow())
    assert refused.value.details["halt_id"] == made.halt_id
    assert refused.value.details["reason"] == "prices make no sense"
    assert submit_order(an_account(), a_new_order(), utcnow()).is_new


def test_a_halted_order_can_be_paused_and_cancelled(broker: SimulatedBroker) -> None:
    one = a_slice(a_working_slice())
    halt_now()

    pause_order(ALL, one.order_id, "ann", utcnow())
    cancel_order(ALL, one.order_id, utcnow(), "ann")
    cancel_slices(utcnow())
    track_slices(utcnow())

    assert order(one.order_id).status is OrderStatus.CANCELLED


def test_what_is_unsent_when_the_window_ends_is_skipped(broker: SimulatedBroker) -> None:
    start = utcnow()
    order_id = a_split_order(start, duration_minutes=1)
    halt_now()
    late = start + timedelta(seconds=61 + settings().late_grace)

    recheck_holds(late)

    assert {one.status for one in slices_of(order_id)} == {SliceStatus.SKIPPED}


def test_an_account_halts_and_releases_its_own_orders_only(broker: SimulatedBroker) -> None:
    mine, theirs = an_account(), an_account()
    own, _ = halt(OneAccount(mine), EVERYTHING, HaltedWorking.CANCEL, "lunch", mine, utcnow())
    of_operator = halt_now(HaltScope(account_id=mine, instrument="NSE:INFY"))
    halt_now()

    assert (own.account_id, own.account_name, own.made_by_name) == (mine, mine.lower(), mine.lower())
    with pytest.raises(Forbidden):
        halt(OneAccount(mine), HaltScope(account_id=theirs), HaltedWorking.CANCEL, "no", mine, utcnow())
    with pytest.raises(Forbidden):
        release(OneAccount(mine), of_operator.halt_id, mine, utcnow())
    with pytest.raises(NotFound):
        halt_report(OneAccount(theirs), own.halt_id)
    shown = halt_page(OneAccount(mine), is_released=None, limit=10, cursor=None).halts
    assert [one.halt_id for one in shown] == [of_operator.halt_id, own.halt_id]
    assert release(OneAccount(mine), own.halt_id, mine, utcnow()).status is HaltStatus.RELEASED


@pytest.mark.parametrize(
    ("scope", "reason", "error"),
    [
        (HaltScope(), " ", InvalidRequest),
        (HaltScope(), "x" * 201, InvalidRequest),
        (HaltScope(), "a\0b", InvalidRequest),
        (HaltScope(account_id="acc_1"), "why", InvalidRequest),
        (HaltScope(instrument="RELIANCE"), "why", InvalidRequest),
        (HaltScope(broker_account="nowhere"), "why", NotFound),
        (HaltScope(broker_account="no\0where"), "why", NotFound),
    ],
)
def test_a_halt_that_makes_no_sense_changes_nothing(
    broker: SimulatedBroker, scope: HaltScope, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        halt(ALL, scope, HaltedWorking.CANCEL, reason, "ann", utcnow())

    assert halt_page(ALL, is_released=None, limit=10, cursor=None).halts == []
    assert alarms_of(AlarmCode.HALTED) == []


def test_its_alarm_stands_as_long_as_it_does(broker: SimulatedBroker) -> None:
    made = halt_now()
    [alarm] = alarms_of(AlarmCode.HALTED)

    assert alarm.subject == made.halt_id
    with pytest.raises(InvalidState):
        inbox.resolve_alarm(alarm.id, "ann", utcnow())
    standing = read_totals().standing
    assert standing is not None
    assert standing.halts == 1
    release(ALL, made.halt_id, "ann", utcnow())
    assert alarms_of(AlarmCode.HALTED)[0].status is AlarmStatus.RESOLVED


def test_lists_come_in_pages(broker: SimulatedBroker) -> None:
    working = {a_working_slice() for _ in range(3)}
    made = halt_now()

    for state, all_of_them in ((HaltedState.WORKING, 3), (HaltedState.UNSENT, 12)):
        found, cursor = [], None
        while True:
            page = halted_slices(ALL, made.halt_id, state, 2, cursor)
            found += [one.slice_id for one in page.slices]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(found) == len(set(found)) == all_of_them
        assert (set(found) == working) is (state is HaltedState.WORKING)
    with pytest.raises(InvalidRequest):
        halted_slices(ALL, made.halt_id, None, 2, "AAAA")


def test_turns_to_come_of_what_is_halted_are_given_back(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        set_limits(patch, per_second=10)
        now = utcnow()
        order_id = a_split_order(now + timedelta(seconds=2))
        admit.admit(now)
        assert turns_taken() == 1

        halt(ALL, EVERYTHING, HaltedWorking.CANCEL, "why", "ann", now)

        assert turns_taken() == 0
        assert {one.turn_at for one in slices_of(order_id)} == {None}
        assert sum(one.given for one in admit.admit(now)) == 0
    config.settings.cache_clear()
