"""The inbox of alarms: one for one cause, counted, taken on, resolved by operators or by its end, and told."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import cursor
from sqlalchemy import event, text, update
from sqlalchemy.orm import Session

from api_contract.alarms import LONGEST_ALARM_NOTE, AlarmEventKind, AlarmStatus
from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.vocabulary import SliceStatus
from pulse_core import db, migrations
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.trading import inbox
from pulse_core.trading.alarms import ENDS_WITH_DOUBT, AlarmCode, HoldCode
from pulse_core.trading.inbox import AlarmFilters, AlarmReport
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import track
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.operations import slice_history
from pulse_core.trading.store import alarms, events, installation, slices
from pulse_core.trading.tables import OrderSlice
from tests.support import servers
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, slices_of

NO_ALARM = "alm_01M83H5T3ZC6N2GQ1W9J8X4K7B"


def raise_about(one: OrderSlice, code: AlarmCode = AlarmCode.TURNED_UP, **detail: str) -> None:
    with db.transaction() as session:
        events.alarm(session, code, one.order_id, one.id, utcnow(), **detail)


def the_alarm(**filters: object) -> AlarmReport:
    [only] = inbox.alarm_page(AlarmFilters(**filters), 10).alarms  # type: ignore[arg-type]
    return only


def told(alarm_id: str) -> list[tuple[AlarmEventKind, str]]:
    return [(one.kind, one.actor) for one in inbox.alarm_history(alarm_id).events]


@pytest.fixture
def one(broker: SimulatedBroker) -> OrderSlice:
    return slices_of(a_split_order())[0]


def test_one_cause_has_one_alarm_that_says_how_often_and_since_when(one: OrderSlice) -> None:
    before = utcnow()
    raise_about(one, broker_order_id="B1")
    raise_about(one, broker_order_id="B2")

    found = the_alarm()
    assert (found.code, found.status, found.occurrences) == (AlarmCode.TURNED_UP, AlarmStatus.OPEN, 2)
    assert (found.order_id, found.slice_id) == (one.order_id, one.id)
    assert found.account_id is not None
    assert before <= found.first_seen_at < found.last_seen_at <= utcnow()
    assert found.detail == {"broker_order_id": "B2"}
    assert told(found.id) == [(AlarmEventKind.RAISED, "pulse")]
    assert [e.kind for e in slice_history(one.id).events].count(EventKind.ALARM) == 2


def test_another_code_or_another_slice_is_another_cause(one: OrderSlice) -> None:
    raise_about(one)
    raise_about(one, AlarmCode.LOST_CLAIM)
    raise_about(slices_of(one.order_id)[1])

    assert inbox.count_open() == {AlarmCode.TURNED_UP: 2, AlarmCode.LOST_CLAIM: 1}


def test_an_alarm_is_gone_with_the_transaction_that_raised_it(one: OrderSlice) -> None:
    with pytest.raises(AttributeError), db.transaction() as session:
        raise_in_vain(session, one)

    assert inbox.alarm_page(AlarmFilters(), 10).alarms == []


def raise_in_vain(session: Session, one: OrderSlice) -> None:
    events.alarm(session, AlarmCode.NO_ROOM, one.order_id, one.id, utcnow())
    raise AttributeError


def test_a_cause_that_many_meet_at_once_has_one_alarm(one: OrderSlice) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: raise_about(one), range(24)))

    found = the_alarm()
    assert found.occurrences == 24
    assert AlarmEventKind.RAISED in {kind for kind, _ in told(found.id)}


def test_an_alarm_is_acknowledged_noted_and_resolved_once_by_whoever_was_first(one: OrderSlice) -> None:
    raise_about(one)
    alarm_id = the_alarm().id

    for actor in ("anna", "ben"):
        inbox.acknowledge_alarm(alarm_id, actor, utcnow())
    for actor in ("anna", "ben"):
        inbox.note_alarm(alarm_id, "  the broker is looking into it  ", actor, utcnow())
    for actor in ("ben", "anna"):
        inbox.resolve_alarm(alarm_id, actor, utcnow())

    found = the_alarm()
    assert (found.status, found.acknowledged_by, found.resolved_by) == (AlarmStatus.RESOLVED, "anna", "ben")
    assert found.note == "the broker is looking into it"
    assert told(alarm_id)[1:] == [
        (AlarmEventKind.ACKNOWLEDGED, "anna"), (AlarmEventKind.NOTED, "anna"), (AlarmEventKind.RESOLVED, "ben"),
    ]  # fmt: skip
    with pytest.raises(InvalidState):
        inbox.acknowledge_alarm(alarm_id, "anna", utcnow())


def test_what_happens_again_counts_for_whoever_is_at_it_and_opens_what_was_resolved(one: OrderSlice) -> None:
    raise_about(one)
    alarm_id = the_alarm().id
    inbox.acknowledge_alarm(alarm_id, "anna", utcnow())
    raise_about(one)
    at_it = the_alarm()
    inbox.resolve_alarm(alarm_id, "anna", utcnow())
    raise_about(one)

    assert (at_it.status, at_it.occurrences) == (AlarmStatus.ACKNOWLEDGED, 2)
    again = the_alarm()
    assert (again.status, again.occurrences, again.id) == (AlarmStatus.OPEN, 3, alarm_id)
    assert (again.acknowledged_by, again.resolved_by, again.resolved_at) == (None, None, None)
    assert again.opened_at > again.first_seen_at
    assert [kind for kind, _ in told(alarm_id)][-1] is AlarmEventKind.RAISED


@pytest.mark.parametrize("note", ["", "  ", "x" * (LONGEST_ALARM_NOTE + 1), "a\0b"])
def test_a_note_says_something_and_is_not_long(one: OrderSlice, note: str) -> None:
    raise_about(one)
    with pytest.raises(InvalidRequest):
        inbox.note_alarm(the_alarm().id, note, "anna", utcnow())


@pytest.mark.parametrize("alarm_id", [NO_ALARM, "alm_\0", "ord_01M83H5T3ZC6N2GQ1W9J8X4K7B"])
def test_what_is_no_alarm_is_not_found(broker: SimulatedBroker, alarm_id: str) -> None:
    with pytest.raises(NotFound):
        inbox.alarm_history(alarm_id)
    with pytest.raises(NotFound):
        inbox.resolve_alarm(alarm_id, "anna", utcnow())


def test_alarms_are_listed_newest_first_page_by_page_and_by_what_they_are_about(broker: SimulatedBroker) -> None:
    orders = [a_split_order() for _ in range(3)]
    for order_id in orders:
        raise_about(slices_of(order_id)[0])
    raise_about(slices_of(orders[0])[1], AlarmCode.NO_ROOM)
    everything = [one.id for one in inbox.alarm_page(AlarmFilters(), 10).alarms]

    first = inbox.alarm_page(AlarmFilters(), 3)
    rest = inbox.alarm_page(AlarmFilters(), 3, first.next_cursor)

    assert [one.id for one in (*first.alarms, *rest.alarms)] == everything == sorted(everything, reverse=True)
    assert rest.next_cursor is None
    assert len(inbox.alarm_page(AlarmFilters(order_id=orders[0]), 10).alarms) == 2
    assert the_alarm(code=AlarmCode.NO_ROOM).order_id == orders[0]
    assert the_alarm(account_id=first.alarms[1].account_id).id == first.alarms[1].id
    assert inbox.alarm_page(AlarmFilters(status=AlarmStatus.RESOLVED), 10).alarms == []
    with pytest.raises(InvalidRequest):
        inbox.alarm_page(AlarmFilters(), 3, "bm90IG91cnM=")


def test_the_hold_on_sending_has_an_alarm_that_ends_with_it(broker: SimulatedBroker) -> None:
    with db.transaction() as session:
        sending_hold._hold(session, HoldCode.CLAIMS_WERE_LOST, utcnow(), claims=2)
    held = the_alarm()

    assert (held.code, held.order_id, held.account_id) == (AlarmCode.SENDING_HELD, None, None)
    assert (held.detail["hold_code"], held.detail["claims"]) == (HoldCode.CLAIMS_WERE_LOST, 2)
    with pytest.raises(InvalidState, match="ends with the hold"):
        inbox.resolve_alarm(held.id, "anna", utcnow())
    assert inbox.resolve_alarms(utcnow()) == 0

    sending_hold.release("anna")

    assert (the_alarm().status, the_alarm().resolved_by) == (AlarmStatus.RESOLVED, "anna")


def test_the_alarm_of_a_hold_that_something_else_released_ends_too(broker: SimulatedBroker) -> None:
    with db.transaction() as session:
        sending_hold._hold(session, HoldCode.CLAIMS_WERE_LOST, utcnow())
        installation.release(session)

    assert inbox.resolve_alarms(utcnow()) == 1
    assert the_alarm().resolved_by == "pulse"


@pytest.mark.parametrize("code", sorted(ENDS_WITH_DOUBT))
def test_alarms_about_a_doubt_end_with_the_doubt(one: OrderSlice, code: AlarmCode) -> None:
    with db.transaction() as session:
        slices.move(session, one, SliceStatus.UNKNOWN, utcnow(), resolve_at=utcnow())
    raise_about(one, code, client_order_id="C1")
    assert inbox.resolve_alarms(utcnow()) == 0

    with db.transaction() as session:
        slices.move(session, a_slice(one.id), SliceStatus.SCHEDULED, utcnow())

    assert inbox.resolve_alarms(utcnow()) == 1
    assert (the_alarm().status, the_alarm().resolved_by) == (AlarmStatus.RESOLVED, "pulse")
    assert inbox.resolve_alarms(utcnow()) == 0


def test_an_end_that_nobody_saw_ends_its_alarm_when_an_operator_has_settled_it(one: OrderSlice) -> None:
    change(one.id, error_code="END_UNSEEN")
    raise_about(one, AlarmCode.END_UNSEEN)
    assert inbox.resolve_alarms(utcnow()) == 0

    change(one.id, error_code=None)

    assert inbox.resolve_alarms(utcnow()) == 1


def test_an_order_that_left_the_book_for_good_ends_its_alarm_with_its_slice(one: OrderSlice) -> None:
    now = utcnow()
    with db.transaction() as session:
        slices.move(session, one, SliceStatus.UNKNOWN, now, resolve_at=now)
    with db.transaction() as session:
        found = {"broker_order_id": "B1", "deadline_at": now + timedelta(minutes=1)}
        slices.move(session, a_slice(one.id), SliceStatus.WORKING, now, **found)
    raise_about(one, AlarmCode.MISSING_FROM_BOOK, broker_order_id="B1")
    assert inbox.resolve_alarms(utcnow()) == 0

    with db.transaction() as session:
        slices.move(session, a_slice(one.id), SliceStatus.EXPIRED, utcnow())

    assert inbox.resolve_alarms(utcnow()) == 1


def test_what_only_an_operator_can_judge_stays_open(one: OrderSlice) -> None:
    by_themselves = {*ENDS_WITH_DOUBT, AlarmCode.END_UNSEEN, AlarmCode.MISSING_FROM_BOOK, AlarmCode.SENDING_HELD}
    with_the_hold = {AlarmCode.ORDER_HELD, AlarmCode.LIMIT_REACHED, AlarmCode.ACCOUNT_HELD, AlarmCode.PRICE_REFUSED}
    for code in set(AlarmCode) - by_themselves - with_the_hold:
        raise_about(one, code)

    assert inbox.resolve_alarms(utcnow()) == 0


def test_an_order_that_is_in_the_book_again_ends_its_alarm_and_one_that_goes_missing_again_opens_it(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track, "_missing", track.Missing())
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    whole = broker.book
    now = lose(broker, utcnow())
    assert the_alarm().status is AlarmStatus.OPEN

    broker.book = whole
    track.track_slices(now)
    found_again = the_alarm()
    assert (found_again.status, found_again.resolved_by) == (AlarmStatus.RESOLVED, "pulse")

    lose(broker, now)
    assert (the_alarm().status, the_alarm().occurrences) == (AlarmStatus.OPEN, 2)


def lose(broker: SimulatedBroker, now: datetime) -> datetime:
    """The book lacks every order for longer than an alarm takes."""
    broker.book = {}
    for _ in range(3):
        now += track.MISSING_FOR
        track.track_slices(now)
    return now


def test_an_alarm_that_an_operator_resolved_is_not_raised_for_what_was_told_before(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track, "_missing", track.Missing())
    execute_slice(slices_of(a_split_order())[0].id)
    now = lose(broker, utcnow())
    inbox.resolve_alarm(the_alarm().id, "anna", utcnow())

    lose(broker, now)

    assert (the_alarm().status, the_alarm().occurrences) == (AlarmStatus.RESOLVED, 1)


def change(slice_id: str, **columns: object) -> None:
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.id == slice_id).values(**columns))


def test_alarms_that_were_events_alone_come_into_the_inbox(one: OrderSlice, clean_database: str) -> None:
    second = slices_of(one.order_id)[1]
    change(one.id, status="UNKNOWN", resolve_at=utcnow())
    for about, code in ((one, AlarmCode.DAY_OVER), (second, AlarmCode.DAY_OVER), (one, AlarmCode.FILL_AFTER_END)):
        raise_about(about, code, client_order_id="C1")
    raise_about(one, AlarmCode.FILL_AFTER_END, quantity="3")
    raise_about(second, AlarmCode.FILL_AFTER_END)
    with db.transaction() as session:
        old = "UPDATE slice_events SET at = at - interval '8 days' WHERE slice_id = :id AND detail->>'code' = :code"
        session.execute(text(old), {"id": second.id, "code": "FILL_AFTER_END"})
        installation.hold(session, HoldCode.FIRST_LOOK, utcnow())

    migrations.downgrade(servers.owner_url(clean_database), "0010")
    servers.upgrade(clean_database)

    found = {(one.code, one.slice_id): one for one in inbox.alarm_page(AlarmFilters(), 10).alarms}
    assert {key: one.status for key, one in found.items()} == {
        (AlarmCode.DAY_OVER, one.id): AlarmStatus.OPEN,
        (AlarmCode.DAY_OVER, second.id): AlarmStatus.RESOLVED,
        (AlarmCode.FILL_AFTER_END, one.id): AlarmStatus.OPEN,
        (AlarmCode.FILL_AFTER_END, second.id): AlarmStatus.RESOLVED,
        (AlarmCode.SENDING_HELD, None): AlarmStatus.OPEN,
    }
    twice = found[AlarmCode.FILL_AFTER_END, one.id]
    assert (twice.occurrences, twice.detail, twice.order_id) == (2, {"quantity": "3"}, one.order_id)
    assert twice.first_seen_at < twice.last_seen_at
    assert told(twice.id) == [(AlarmEventKind.RAISED, "pulse")]
    sending_hold.release("the test")


def test_counting_open_alarms_by_code_reads_a_partial_index(one: OrderSlice) -> None:
    raise_about(one)
    with db.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(text("EXPLAIN SELECT code, count(*) FROM alarms WHERE status <> 'RESOLVED' GROUP BY 1"))
        assert "ix_alarms_unresolved" in "".join(plan.scalars())
        assert alarms.open_by_code(session) == {AlarmCode.TURNED_UP: 1}


@pytest.mark.parametrize(
    "ask",
    [
        lambda session, one: events.was_raised(session, one.id, AlarmCode.TURNED_UP),
        lambda session, one: events.raised_about(session, [one.id], AlarmCode.TURNED_UP),
        lambda session, one: events.count_refusals(session, one.id, "account"),
    ],
    ids=["was_raised", "raised_about", "count_refusals"],
)
def test_what_was_told_of_a_slice_is_found_by_an_index_that_holds_little_else(
    one: OrderSlice, ask: Callable[[Session, OrderSlice], object]
) -> None:
    with db.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = explained(session, lambda: ask(session, one))
    assert "ix_slice_events_of_slice" in plan


def explained(session: Session, ask: Callable[[], object]) -> str:
    """How Postgres finds what the last statement of `ask` asks for."""
    asked: list[str] = []

    def note(_connection: object, sent_by: cursor, statement: str, given: Mapping[str, Any], *_rest: object) -> None:
        asked.append(sent_by.mogrify(statement, given).decode())

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
    return "".join(session.connection().exec_driver_sql(f"EXPLAIN {asked[-1]}").scalars())
