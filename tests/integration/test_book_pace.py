"""While postbacks tell of everything the book is read more seldom: no fill is seen later that one of them tells of."""

from datetime import UTC, datetime, time, timedelta

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core.clock import utcnow
from pulse_core.trading.book import hints, pace
from pulse_core.trading.book.pace import RELIED_ON_AFTER
from pulse_core.trading.slice import track
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from tests.support.broker import SimulatedBroker, lose_the_request
from tests.support.factories import a_slice, a_split_order, slices_of


@pytest.fixture
def market(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    """A broker whose postbacks are relied on; a reading that may wait does so for longer than a test."""
    monkeypatch.setattr(track, "_missing", track.Missing())
    monkeypatch.setattr(pace, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(pace, "LONGEST_PAUSE", 3600.0)
    # As a worker that has looked before.
    pace.paces.of(broker)
    for _ in range(RELIED_ON_AFTER):
        _slice_id, broker_order_id = a_working_slice()
        broker.fill(broker_order_id)
        hints.take_hint(broker_order_id)
        track_slices(utcnow())
    return broker


def a_working_slice() -> tuple[str, str]:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return first.id, a_slice(first.id).broker_order_id or ""


def readings(market: SimulatedBroker, now: datetime | None = None) -> int:
    """How many a run takes."""
    before = market.readings
    track_slices(now or utcnow())
    return market.readings - before


def test_a_reading_waits_and_a_postback_has_it_made_at_once(market: SimulatedBroker) -> None:
    (one, first), (other, _second) = a_working_slice(), a_working_slice()
    market.fill(first)
    assert readings(market) == 0
    assert a_slice(one).status is SliceStatus.WORKING

    hints.take_hint(first)
    assert readings(market) == 1
    assert [a_slice(id_).status for id_ in (one, other)] == [SliceStatus.FILLED, SliceStatus.WORKING]
    assert readings(market) == 0


def test_a_missed_postback_brings_the_usual_readings_back(market: SimulatedBroker) -> None:
    (one, first), (other, second) = a_working_slice(), a_working_slice()
    market.fill(first)
    reconcile(utcnow())
    assert a_slice(one).status is SliceStatus.FILLED

    market.fill(second)
    assert readings(market) == 1
    assert a_slice(other).status is SliceStatus.FILLED


def test_while_a_slice_is_in_doubt_no_reading_waits(market: SimulatedBroker) -> None:
    a_working_slice()
    market.answers = [lose_the_request]
    execute_slice(slices_of(a_split_order())[0].id)

    assert [readings(market), readings(market)] == [1, 1]


def test_while_an_order_is_missing_no_reading_waits(market: SimulatedBroker) -> None:
    (_one, first), (_other, second) = a_working_slice(), a_working_slice()
    hints.take_hint(second)
    del market.book[first]
    assert readings(market) == 1

    assert [readings(market), readings(market)] == [1, 1]


def test_before_the_day_of_the_book_ends_no_reading_waits_and_late_fills_are_booked(market: SimulatedBroker) -> None:
    market.is_book_daily = True
    one, broker_order_id = a_working_slice()
    midnight = datetime.combine(utcnow().date() + timedelta(days=1), time.min, UTC)
    assert readings(market, midnight - timedelta(seconds=20)) == 0

    market.end(broker_order_id)
    assert readings(market, midnight - timedelta(seconds=14)) == 1
    assert a_slice(one).status is SliceStatus.CANCELLED

    # Nothing works any more.
    market.fill(broker_order_id)
    assert readings(market, midnight - timedelta(seconds=1)) == 1
    assert a_slice(one).filled_quantity == a_slice(one).quantity


def test_a_day_on_which_nothing_was_placed_ends_without_a_reading(market: SimulatedBroker) -> None:
    market.is_book_daily = True
    later = datetime.combine(utcnow().date() + timedelta(days=2), time.min, UTC)
    assert readings(market, later - timedelta(seconds=1)) == 0
