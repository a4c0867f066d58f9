"""What the broker's book proves of an order that it does not show: little, and nothing when it is not whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core import clock, config
from pulse_core.brokers.port import BookUnavailable, BrokerOrder
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.trading.slice import execute, operations, track
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import MISSING_FOR, track_slices
from pulse_core.trading.store.absences import LONGEST_PAUSE
from pulse_core.trading.tables import OrderSlice
from tests.support.broker import SimulatedBroker, accept, lose_the_request
from tests.support.factories import a_slice, a_split_order, later, settle_delay, slices_of, watch_the_book

DOUBTED = "the broker's book lacks orders that it acknowledged, and proves no absence"
MISSING = "a working order is missing from the broker's book"


def alarms(slice_id: str) -> list[str]:
    return [one.detail["alarm"] for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM]


def an_unknown_slice(broker: SimulatedBroker, *answers: Callable[[SimulatedBroker, object], str]) -> OrderSlice:
    """The last of so many slices of one order, each with its answer; the last one's is lost."""
    broker.answers = [*answers, lose_the_request]  # type: ignore[list-item]
    order_slices = slices_of(a_split_order())
    for one in order_slices[: len(answers) + 1]:
        execute_slice(one.id, clock=lambda due_at=one.due_at: due_at)  # type: ignore[misc]
    return a_slice(order_slices[len(answers)].id)


def hide(broker: SimulatedBroker) -> dict[str, BrokerOrder]:
    """The broker's book as it was, now empty to all who read it."""
    hidden, broker.book = broker.book, {}
    return hidden


def test_a_book_without_an_acknowledged_order_never_proves_that_another_is_absent(broker: SimulatedBroker) -> None:
    one, start = an_unknown_slice(broker, accept), utcnow() + timedelta(minutes=15)
    hide(broker)

    watch_the_book(start, start + 3 * settle_delay())

    assert (a_slice(one.id).status, a_slice(one.id).absent_since) == (SliceStatus.UNKNOWN, None)
    assert alarms(one.id) == [DOUBTED]


def test_a_book_that_shrank_proves_nothing_though_all_that_it_lacks_is_somebody_elses(broker: SimulatedBroker) -> None:
    one, start = an_unknown_slice(broker), later(1)
    foreign = broker.enter(replace(broker.placements[0], client_order_id="SOMEBODYELSE"))
    resolve_slices(start)
    del broker.book[foreign]

    resolve_slices(start + timedelta(seconds=5))

    assert (a_slice(one.id).absent_since, alarms(one.id)) == (None, [DOUBTED])


def test_the_settle_delay_begins_when_the_book_is_whole_again(broker: SimulatedBroker) -> None:
    one, start = an_unknown_slice(broker, accept), utcnow() + timedelta(minutes=15)
    watch_the_book(start, start + settle_delay() - timedelta(seconds=10))
    hidden = hide(broker)
    resolve_slices(a_slice(one.id).resolve_at or start)
    broker.book = hidden

    whole_again = a_slice(one.id).resolve_at or start
    watch_the_book(whole_again, whole_again + settle_delay() - timedelta(seconds=5))
    assert a_slice(one.id).status is SliceStatus.UNKNOWN

    watch_the_book(whole_again + settle_delay() - timedelta(seconds=3), whole_again + settle_delay())
    assert a_slice(one.id).status is SliceStatus.SCHEDULED


def test_an_order_that_a_book_shows_is_there_however_much_the_book_lacks(broker: SimulatedBroker) -> None:
    one = an_unknown_slice(broker, accept)
    acknowledged = next(iter(broker.book))
    broker_order_id = broker.enter(broker.placements[-1])
    del broker.book[acknowledged]

    resolve_slices(later(3600))

    assert (a_slice(one.id).status, a_slice(one.id).broker_order_id) == (SliceStatus.WORKING, broker_order_id)


def test_what_was_acknowledged_after_the_reading_began_may_be_missing_in_it(broker: SimulatedBroker) -> None:
    one, start = an_unknown_slice(broker), utcnow()
    others = slices_of(a_split_order())
    read_book = broker.order_book

    def read_before_the_other_is_acknowledged(*_since: object) -> object:
        seen = read_book()
        execute_slice(others[0].id)
        return seen

    broker.order_book = read_before_the_other_is_acknowledged  # type: ignore[method-assign,assignment]
    resolve_slices(start + timedelta(seconds=1))

    assert a_slice(others[0].id).status is SliceStatus.WORKING
    assert a_slice(one.id).absent_since is not None
    assert alarms(one.id) == []


@pytest.mark.parametrize("reader", [track_slices, reconcile])
def test_an_outage_met_by_any_reader_begins_the_settle_delay_anew(
    broker: SimulatedBroker, reader: Callable[[datetime], int]
) -> None:
    one, start = an_unknown_slice(broker, accept), utcnow() + timedelta(minutes=15)
    resolve_slices(start)
    assert a_slice(one.id).absent_since is not None

    broker.is_book_readable = False
    with pytest.raises(BookUnavailable):
        reader(start + timedelta(seconds=1))

    assert a_slice(one.id).absent_since is None


@pytest.mark.parametrize("reader", [track_slices, reconcile])
def test_a_book_that_is_not_whole_begins_the_settle_delay_anew_whoever_reads_it(
    broker: SimulatedBroker, reader: Callable[[datetime], int]
) -> None:
    one, start = an_unknown_slice(broker, accept), utcnow() + timedelta(minutes=15)
    resolve_slices(start)
    hide(broker)

    reader(start + timedelta(seconds=1))

    assert a_slice(one.id).absent_since is None


def test_a_pause_between_two_looks_begins_the_settle_delay_anew(broker: SimulatedBroker) -> None:
    one, start = an_unknown_slice(broker), later(1)
    resolve_slices(start)
    nobody_looked_until = (a_slice(one.id).resolve_at or start) + LONGEST_PAUSE + settle_delay()

    resolve_slices(nobody_looked_until)

    assert (a_slice(one.id).status, a_slice(one.id).absent_since) == (SliceStatus.UNKNOWN, nobody_looked_until)


@dataclass
class SlowReading:
    """Reading the book takes so many seconds by the database's clock."""

    broker: SimulatedBroker
    seconds: float
    now: datetime

    def order_book(self, _since: datetime) -> object:
        self.now += timedelta(seconds=self.seconds)
        return list(self.broker.book.values())


def test_absence_counts_from_the_end_of_one_reading_to_the_start_of_the_next(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, start = an_unknown_slice(broker), later(1)
    reading = SlowReading(broker, 9.0, start)
    monkeypatch.setattr(clock, "utcnow", lambda: reading.now)
    broker.order_book = reading.order_book  # type: ignore[method-assign,assignment]

    while a_slice(one.id).status is SliceStatus.UNKNOWN:
        reading.now = max(a_slice(one.id).resolve_at or start, reading.now)
        began = reading.now
        resolve_slices(began)

    assert began - (start + timedelta(seconds=9)) >= settle_delay() - timedelta(seconds=1)


def test_with_a_settle_delay_of_never_each_doubt_is_left_to_an_operator(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, start = an_unknown_slice(broker), later(1)
    monkeypatch.setenv("PULSE_SETTLE_DELAY", "never")
    config.settings.cache_clear()

    for minutes in range(10):
        resolve_slices(start + timedelta(minutes=minutes))
    monkeypatch.undo()
    config.settings.cache_clear()

    assert a_slice(one.id).status is SliceStatus.UNKNOWN
    assert alarms(one.id) == ["the broker's book shows no trace of an unknown slice: an operator must settle it"]


def test_a_working_order_missing_from_the_book_raises_one_alarm_after_a_while(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track, "_missing", track.Missing())
    broker.answers = [accept]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    hide(broker)
    start = later(1)

    track_slices(start)
    track_slices(start + MISSING_FOR - timedelta(seconds=1))
    assert alarms(first.id) == []

    for seconds in range(3):
        track_slices(start + MISSING_FOR + timedelta(seconds=seconds))
    assert alarms(first.id) == [MISSING]
    assert a_slice(first.id).status is SliceStatus.WORKING


def test_while_the_databases_clock_is_not_steady_nothing_is_claimed_and_no_absence_counted(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, start = an_unknown_slice(broker), later(1)
    resolve_slices(start)
    other = slices_of(a_split_order())[0]
    monkeypatch.setattr(clock, "is_steady", lambda: False)
    monkeypatch.setattr(execute, "is_steady", lambda: False)

    assert resolve_slices(start + timedelta(seconds=5)) == 0
    execute_slice(other.id)

    assert a_slice(one.id).absent_since is None
    assert (a_slice(other.id).status, a_slice(other.id).attempts) == (SliceStatus.SCHEDULED, 0)
