"""A database that has forgotten its last commits buys nothing again: the book tells, or nothing is sent."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import BookUnavailable, NotSent, Placement
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.owner import OneAccount
from pulse_core.postgres import lineage
from pulse_core.postgres.lineage import Lineage, Seen
from pulse_core.trading import client_order_ids, inbox
from pulse_core.trading.alarms import AlarmCode, HoldCode
from pulse_core.trading.inbox import AlarmFilters
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_core.trading.slice.operations import slice_history
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.store import installation, placements, slices
from pulse_core.trading.store.installation import Hold
from pulse_core.trading.vocabulary import PlacementOutcome
from pulse_ops.cli import main
from tests.support.broker import SimulatedBroker, accept_and_fill, answer_with
from tests.support.factories import (
    a_new_order,
    a_slice,
    a_split_order,
    an_account,
    an_order,
    order,
    settle_delay,
    slices_of,
    watch_the_book,
)
from tests.support.lost import forget, forget_order, move_to, start_again
from tests.support.servers import as_owner


@pytest.fixture(autouse=True)
def _restored_installation(broker: SimulatedBroker) -> Iterator[None]:
    """Each test begins with a database that was compared with the book, and leaves one like that."""
    _settle()
    yield
    _settle()
    # One that was refused does not read again at once.
    start_again()


def _settle() -> None:
    with db.transaction() as session:
        installation.release(session)
        installation.know_database(session, sending_hold._present(session))
    sending_hold._quiet_of("paper").interrupt()


def hold() -> Hold | None:
    return sending_hold.standing().hold


def a_sent_slice(broker: SimulatedBroker) -> str:
    """A slice that was bought, in an order whose other slices wait."""
    broker.answers = [accept_and_fill]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return first.id


def a_strangers_order(broker: SimulatedBroker, tag: str) -> str:
    stated = a_new_order()
    return broker.enter(Placement(tag, stated.instrument, stated.side, 10))


def watch(since: datetime, until: datetime) -> None:
    """Run the sweep as often as it is run, for the last time at `until`."""
    while since < until:
        sending_hold.watch_hold(since)
        since += timedelta(seconds=3)
    sending_hold.watch_hold(until)


def test_a_slice_that_the_database_forgot_to_have_sent_is_found_in_the_book_and_not_sent_again(
    broker: SimulatedBroker,
) -> None:
    slice_id = a_sent_slice(broker)
    bought = a_slice(slice_id)
    forget(slice_id)
    start_again()

    execute_slice(slice_id)
    resolve_slices(utcnow())

    found = a_slice(slice_id)
    assert len(broker.placements) == 1
    assert (found.status, found.filled_quantity, found.attempts) == (SliceStatus.FILLED, 20, 1)
    assert (found.client_order_id, found.broker_order_id) == (bought.client_order_id, bought.broker_order_id)
    alarms = [one.detail for one in slice_history(slice_id).events if one.kind is EventKind.ALARM]
    assert [(one["code"], one["attempt"]) for one in alarms] == [(AlarmCode.LOST_CLAIM, 1)]


def test_an_attempt_that_was_not_placed_and_lost_with_the_one_that_was_is_recorded_with_it(
    broker: SimulatedBroker,
) -> None:
    slice_id = slices_of(a_split_order())[0].id
    key = installation.client_order_id_key()
    stated = a_new_order()
    live = broker.enter(
        Placement(client_order_ids.client_order_id(key, slice_id, 3), stated.instrument, stated.side, 20)
    )
    start_again()

    execute_slice(slice_id)

    recorded = slice_history(slice_id).attempts
    assert [(one.attempt, one.outcome) for one in recorded] == [
        (1, PlacementOutcome.ABSENT),
        (2, PlacementOutcome.ABSENT),
        (3, PlacementOutcome.ACKNOWLEDGED),
    ]
    assert [one.broker_order_id for one in recorded] == [None, None, live]
    assert (a_slice(slice_id).status, broker.placements) == (SliceStatus.UNKNOWN, [])


@pytest.mark.parametrize("status", ["REJECTED", "FAILED", "CANCELLED", "SKIPPED"])
def test_what_was_lost_of_a_slice_that_has_ended_is_recorded_and_its_fills_are_booked(
    broker: SimulatedBroker, status: str
) -> None:
    slice_id = a_sent_slice(broker)
    forget(slice_id, status)
    start_again()

    assert sending_hold.may_send(broker)
    reconcile(utcnow())

    found = a_slice(slice_id)
    assert (found.status, found.filled_quantity) == (status, 20)
    assert order(found.order_id).filled_quantity == 20


def test_a_live_order_of_a_slice_that_was_cancelled_before_it_was_found_is_called_back(
    broker: SimulatedBroker,
) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    live = a_slice(first.id).broker_order_id
    forget(first.id)
    found = order(first.order_id)
    cancel_order(OneAccount(found.account_id), first.order_id, utcnow(), found.account_id)
    start_again()

    assert sending_hold.may_send(broker)
    reconcile(utcnow())

    assert broker.cancels == [live]
    assert order(first.order_id).status is OrderStatus.CANCELLED


def test_a_slice_in_doubt_about_an_earlier_attempt_follows_the_lost_one_when_that_doubt_has_ended(
    broker: SimulatedBroker,
) -> None:
    broker.answers = [answer_with(NotSent("CONNECTION_REFUSED", "nobody listens")), accept_and_fill]
    slice_id = slices_of(a_split_order())[0].id
    execute_slice(slice_id)
    first = a_slice(slice_id).client_order_id or ""
    execute_slice(slice_id, clock=lambda: a_slice(slice_id).due_at)
    forget(slice_id, attempts=1)
    now = utcnow()
    with db.transaction() as session:
        placements.complete(session, first, PlacementOutcome.UNKNOWN)
        doubt = {"client_order_id": first, "resolve_at": now, "sent_at": now}
        slices.move(session, a_slice(slice_id), SliceStatus.UNKNOWN, now, **doubt)
    start_again()

    assert sending_hold.may_send(broker)
    watch_the_book(now, now + settle_delay() + timedelta(seconds=5))
    resolve_slices(now + settle_delay() + timedelta(seconds=10))

    found = a_slice(slice_id)
    assert (found.attempts, found.status, found.filled_quantity) == (2, SliceStatus.FILLED, 20)
    assert len(broker.placements) == 2


def test_nothing_is_sent_while_the_book_cannot_be_read_and_the_slice_goes_out_after_it_was(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_hold, "PAUSE", 0)
    first = slices_of(a_split_order())[0]
    start_again()
    broker.is_book_readable = False

    execute_slice(first.id)
    unsent = list(broker.placements)
    broker.is_book_readable = True
    execute_slice(first.id)

    assert unsent == []
    assert a_slice(first.id).status is SliceStatus.WORKING


def test_a_book_that_lacks_acknowledged_orders_clears_no_process(broker: SimulatedBroker) -> None:
    first, second = slices_of(a_split_order(num_splits=2, duration_minutes=1))
    execute_slice(first.id)
    forget(second.id)
    start_again()
    broker.book.clear()

    execute_slice(second.id)

    assert len(broker.placements) == 1
    assert not sending_hold.is_cleared("paper")


def test_a_lost_attempt_whose_slice_a_worker_holds_clears_no_process(broker: SimulatedBroker) -> None:
    slice_id = a_sent_slice(broker)
    forget(slice_id)
    start_again()

    with db.fence(slice_id):
        assert not sending_hold.may_send(broker)
    sending_hold._clearance.cache_clear()

    assert sending_hold.may_send(broker)
    assert a_slice(slice_id).attempts == 1


def test_a_process_reads_the_book_once(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = []
    read = broker.order_book
    monkeypatch.setattr(broker, "order_book", lambda *_since: readings.append(1) or read())
    start_again()

    for one in slices_of(a_split_order()):
        execute_slice(one.id)

    assert len(readings) == 1


def test_another_database_is_held_until_nothing_lost_can_turn_up(broker: SimulatedBroker) -> None:
    slice_id = a_sent_slice(broker)
    waiting = slices_of(a_split_order())[0].id
    forget(slice_id)
    move_to("another database")
    start_again()
    now = utcnow()

    execute_slice(waiting)
    held = hold()
    watch(now, now + settle_delay() - timedelta(seconds=5))
    is_still_held = hold()
    watch(now + settle_delay() - timedelta(seconds=5), now + settle_delay() + timedelta(seconds=5))
    execute_slice(waiting)

    assert held is not None
    assert held.code is HoldCode.ANOTHER_DATABASE
    assert is_still_held is not None
    assert hold() is None
    assert len(broker.placements) == 2
    assert a_slice(waiting).status is SliceStatus.WORKING


def test_what_turns_up_during_a_hold_is_recorded_and_the_hold_begins_anew(broker: SimulatedBroker) -> None:
    slice_id = a_sent_slice(broker)
    late = dict(broker.book)
    broker.book.clear()
    forget(slice_id)
    move_to("another database")
    now = utcnow()
    watch(now, now + timedelta(seconds=30))
    broker.book.update(late)

    watch(now + timedelta(seconds=33), now + settle_delay() + timedelta(seconds=5))

    assert (a_slice(slice_id).attempts, len(broker.placements)) == (1, 1)
    assert hold() is not None


@pytest.mark.parametrize("trouble", ["outage", "pause"])
def test_an_outage_or_a_pause_between_two_readings_begins_the_wait_anew(broker: SimulatedBroker, trouble: str) -> None:
    move_to("another database")
    now = utcnow()
    watch(now, now + timedelta(seconds=30))
    if trouble == "outage":
        broker.is_book_readable = False
        with pytest.raises(BookUnavailable):
            sending_hold.watch_hold(now + timedelta(seconds=33))
        broker.is_book_readable = True
    resumed = now + timedelta(seconds=36 if trouble == "outage" else 60)

    watch(resumed, now + settle_delay() + timedelta(seconds=10))

    assert hold() is not None
    watch(now + settle_delay() + timedelta(seconds=13), resumed + settle_delay() + timedelta(seconds=5))
    assert hold() is None


def test_a_setting_of_never_leaves_the_end_of_a_hold_to_an_operator(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = sending_hold.settings().model_copy(update={"settle_delay": "never"})
    monkeypatch.setattr(sending_hold, "settings", lambda: never)
    move_to("another database")
    now = utcnow()

    watch(now, now + timedelta(minutes=5))

    assert hold() is not None
    assert sending_hold.release("somebody")
    assert hold() is None


def test_orders_that_no_slice_explains_keep_another_database_held_until_an_operator_releases_it(
    broker: SimulatedBroker,
) -> None:
    slice_id = a_sent_slice(broker)
    forgotten = a_slice(slice_id).broker_order_id
    forget_order(a_slice(slice_id).order_id)
    move_to("another database")
    now = utcnow()

    watch(now, now + 2 * settle_delay())

    assert hold() is not None
    assert [one.broker_order_id for one in sending_hold.compare(broker, utcnow()).unexplained] == [forgotten]
    assert sending_hold.release("somebody")
    watch(now, now + timedelta(seconds=9))
    assert hold() is None


@pytest.mark.parametrize("is_held", [True, False])
def test_a_forgotten_order_that_is_placed_again_has_what_stands_at_the_broker(
    broker: SimulatedBroker, is_held: bool
) -> None:
    account, stated = an_account(), {"order_unique_key": "forgotten", "randomize": True, "total_quantity": 1000}
    broker.answers = [accept_and_fill]
    first, second, *_ = slices_of(a_split_order(account_id=account, **stated))
    execute_slice(first.id)
    forget_order(first.order_id)
    move_to("another database")
    start_again()
    waiting = slices_of(a_split_order())[0].id
    execute_slice(waiting)
    assert (len(sending_hold.compare(broker, utcnow()).unexplained), hold() is None) == (1, False)
    if not is_held:
        assert sending_hold.release("somebody")

    again = a_split_order(account_id=account, **stated)
    execute_slice(first.id)
    resolve_slices(utcnow())

    found = a_slice(first.id)
    assert (found.order_id, found.quantity, a_slice(second.id).quantity) == (again, first.quantity, second.quantity)
    assert (found.status, found.filled_quantity, len(broker.placements)) == (SliceStatus.FILLED, first.quantity, 1)
    assert sending_hold.compare(broker, utcnow()).unexplained == []
    if not is_held:
        execute_slice(waiting)
        assert (hold(), a_slice(waiting).status) == (None, SliceStatus.WORKING)


def test_an_order_that_was_not_split_when_the_database_went_back_gets_the_slices_that_it_had(
    broker: SimulatedBroker,
) -> None:
    order_id = an_order(total_quantity=1000, randomize=True)
    split_orders([order_id], utcnow())
    [first, *_] = before = slices_of(order_id)
    execute_slice(first.id)
    with as_owner() as connection:
        connection.execute(text("DELETE FROM placements; DELETE FROM slice_events; DELETE FROM order_slices"))
        connection.execute(text("UPDATE orders SET status = 'PENDING', most_per_interval = NULL"))
    start_again()
    split_orders([order_id], utcnow())

    execute_slice(first.id)

    after = slices_of(order_id)
    assert [(one.id, one.quantity) for one in after] == [(one.id, one.quantity) for one in before]
    assert (len(broker.placements), after[0].status) == (1, SliceStatus.UNKNOWN)


def test_nothing_is_sent_of_a_forgotten_order_while_the_book_cannot_be_read_again(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending_hold, "PAUSE", 0)
    account, stated = an_account(), {"order_unique_key": "forgotten"}
    first = slices_of(a_split_order(account_id=account, **stated))[0]
    execute_slice(first.id)
    forget_order(first.order_id)
    start_again()
    assert sending_hold.may_send(broker)
    a_split_order(account_id=account, **stated)
    waiting = slices_of(a_split_order())[0].id
    broker.is_book_readable = False

    execute_slices([first.id, waiting])

    assert (a_slice(first.id).status, a_slice(waiting).status) == (SliceStatus.SCHEDULED, SliceStatus.WORKING)


def test_orders_of_another_installation_on_the_account_hold_nothing_up(broker: SimulatedBroker) -> None:
    a_strangers_order(broker, client_order_ids.client_order_id(b"another key", "sl_1", 1))
    move_to("another database")
    now = utcnow()

    watch(now, now + settle_delay() + timedelta(seconds=5))

    assert hold() is None


def test_at_an_ordinary_start_unexplained_orders_are_told_and_hold_nothing_up(broker: SimulatedBroker) -> None:
    a_strangers_order(broker, client_order_ids.client_order_id(installation.client_order_id_key(), "sl_forgotten", 1))
    start_again()
    waiting = slices_of(a_split_order())[0].id

    execute_slice(waiting)

    assert hold() is None
    assert a_slice(waiting).status is SliceStatus.WORKING
    [alarm] = inbox.alarm_page(AlarmFilters(code=AlarmCode.UNEXPLAINED_ORDERS), 10).alarms
    assert (alarm.order_id, alarm.detail["in_all"], len(alarm.detail["orders"])) == (None, 1, 1)


@pytest.mark.parametrize("is_book_strange", [False, True])
def test_a_database_that_was_never_compared_is_held_only_when_the_book_knows_more(
    broker: SimulatedBroker, is_book_strange: bool
) -> None:
    if is_book_strange:
        a_strangers_order(broker, "A" * 20)
    move_to(None)
    start_again()

    assert sending_hold.may_send(broker)

    stands = sending_hold.standing()
    assert stands.known == stands.present
    assert (stands.hold is not None) == is_book_strange


def test_the_orders_of_a_day_and_a_half_ago_are_not_looked_at(broker: SimulatedBroker) -> None:
    slice_id = slices_of(a_split_order(utcnow() - timedelta(hours=36)))[0].id
    a_strangers_order(broker, client_order_ids.client_order_id(installation.client_order_id_key(), slice_id, 1))

    findings = sending_hold.compare(broker, utcnow())

    assert (len(findings.recorded), len(findings.unexplained)) == (0, 1)


def test_a_new_connection_to_another_database_stops_a_process_until_it_has_compared(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = lineage.lineage(db.fence_engine())
    assert sending_hold.may_send(broker)
    assert seen.seen is not None
    monkeypatch.setattr(seen, "seen", Seen("another database", 0))

    db.engine().dispose()
    db.ping()

    assert not sending_hold.is_cleared("paper")
    assert sending_hold.may_send(broker)
    assert hold() is None


def test_a_log_that_went_back_holds_everything(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = lineage.lineage(db.fence_engine())
    assert sending_hold.may_send(broker)
    assert seen.seen is not None
    monkeypatch.setattr(seen, "seen", Seen(seen.seen.database, 2**60))

    sending_hold.watch_hold(utcnow())

    found = hold()
    assert found is not None
    assert found.code is HoldCode.LOG_WENT_BACK


def test_connections_that_are_looked_at_in_any_order_are_no_setback() -> None:
    seen = Lineage()
    first = seen._compare(None, Seen("one", 10))
    seen._compare(first, Seen("one", 30))

    seen._compare(first, Seen("one", 20))

    assert (seen.seen, seen.breaks) == (Seen("one", 30), 0)


def test_an_operator_is_walked_through_it(broker: SimulatedBroker) -> None:
    lost = a_sent_slice(broker)
    forgotten = a_sent_slice(broker)
    forget(lost)
    forget_order(a_slice(forgotten).order_id)
    move_to("another database")
    run = CliRunner()

    first = run.invoke(main, ["recover"])
    refused = run.invoke(main, ["recover", "--release"], input="n\n")
    still_held = hold()
    released = run.invoke(main, ["recover", "--release"], input="y\n")
    after = run.invoke(main, ["recover"])

    assert first.exit_code == 1, first.output
    assert HoldCode.ANOTHER_DATABASE.meaning in first.stdout
    assert lost in first.stdout
    assert "see to them at the broker" in first.stdout
    assert (refused.exit_code, still_held is not None) == (1, True)
    assert "PULSE_SETTLE_DELAY has not passed" in released.stderr
    assert (released.exit_code, after.exit_code) == (0, 0), released.output
    assert "none, slices are sent" in after.stdout


def test_an_operator_releases_nothing_while_the_book_cannot_be_read(broker: SimulatedBroker) -> None:
    move_to("another database")
    sending_hold.watch_hold(utcnow())
    broker.is_book_readable = False

    result = CliRunner().invoke(main, ["recover", "--release", "--yes"])

    assert result.exit_code == 4
    assert "cannot be read" in result.stderr
    assert hold() is not None
