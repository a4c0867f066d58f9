"""A few working orders are looked up one by one where the book is long, and never taken for absent by that."""

from datetime import timedelta

import pytest

from api_contract.vocabulary import SliceStatus
from pulse_core.brokers.port import BookUnavailable, NotSent
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.trading.book import look_ups
from pulse_core.trading.book.look_ups import FEW, FIRST_PAUSE, LONGEST_PAUSE, PAUSE_AFTER_FAILURE, Looks
from pulse_core.trading.book.reading import Book
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.slice import operations, track
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import MISSING_FOR, track_slices
from tests.support.broker import SimulatedBroker, answer_with, lose_the_request
from tests.support.clock import ManualClock
from tests.support.factories import a_slice, a_split_order, later, slices_of

NOT_SENT = answer_with(NotSent("CONNECTION_REFUSED", "nobody listens"))


@pytest.fixture
def market(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    """A broker whose book of two orders is a long one."""
    monkeypatch.setattr(track, "_missing", track.Missing())
    monkeypatch.setattr(look_ups, "LONG_BOOK", 1)
    # Tests look again at once.
    monkeypatch.setattr(look_ups, "SPACING", timedelta(0))
    return broker


def a_working_slice() -> tuple[str, str]:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    return first.id, a_slice(first.id).broker_order_id or ""


def alarms(slice_id: str) -> list[str]:
    return [one.detail["alarm"] for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM]


def track_and_count(market: SimulatedBroker) -> tuple[int, int]:
    """How many readings of the book and how many look-ups one run takes."""
    readings, looked_up = market.readings, len(market.looked_up)
    track_slices(utcnow())
    return market.readings - readings, len(market.looked_up) - looked_up


def test_a_few_orders_of_a_long_book_are_looked_up_and_followed_to_their_ends(market: SimulatedBroker) -> None:
    (one, first), (two, second) = a_working_slice(), a_working_slice()
    assert track_and_count(market) == (1, 0)

    market.fill(first, 5)
    market.fill(second)
    assert track_and_count(market) == (0, 2)
    assert [(a_slice(id_).status, a_slice(id_).filled_quantity) for id_ in (one, two)] == [
        (SliceStatus.WORKING, 5),
        (SliceStatus.FILLED, 20),
    ]

    market.cancel(first)
    assert track_and_count(market) == (0, 1)
    assert (a_slice(one).status, a_slice(one).filled_quantity) == (SliceStatus.CANCELLED, 5)


def test_many_orders_and_those_of_a_short_book_are_read_together(
    market: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(FEW):
        a_working_slice()
    track_slices(utcnow())
    assert track_and_count(market) == (0, FEW)

    a_working_slice()
    assert track_and_count(market) == (1, 0)

    monkeypatch.setattr(look_ups, "FEW", FEW + 1)
    assert track_and_count(market) == (0, FEW + 1)
    monkeypatch.setattr(look_ups, "LONG_BOOK", FEW + 1)
    assert track_and_count(market) == (1, 0)


def test_while_a_slice_is_in_doubt_the_whole_book_is_read(market: SimulatedBroker) -> None:
    for _ in range(2):
        a_working_slice()
    market.answers = [lose_the_request]
    doubted = slices_of(a_split_order())[0]
    execute_slice(doubted.id)
    track_slices(utcnow())

    assert track_and_count(market) == (1, 0)
    assert a_slice(doubted.id).status is SliceStatus.UNKNOWN


def test_an_attempt_that_was_taken_for_absent_is_found_as_soon_as_it_turns_up(market: SimulatedBroker) -> None:
    for _ in range(2):
        a_working_slice()
    market.answers = [NOT_SENT]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    track_slices(utcnow())
    market.enter(market.placements[-1])

    track_slices(utcnow())

    assert alarms(first.id) == ["order taken for not placed is in the book"]


def test_an_order_that_a_look_up_does_not_find_is_missed_when_the_book_lacks_it_as_ever(
    market: SimulatedBroker,
) -> None:
    (one, first), _other = a_working_slice(), a_working_slice()
    start = later(1)
    track_slices(start)
    del market.book[first]

    track_slices(start)
    track_slices(start + MISSING_FOR - timedelta(seconds=1))
    assert alarms(one) == []
    track_slices(start + MISSING_FOR + timedelta(seconds=1))

    assert alarms(one) == ["a working order is missing from the broker's book"]
    assert a_slice(one).status is SliceStatus.WORKING


def test_an_order_that_cannot_be_looked_up_is_read_of_in_the_book(
    market: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, first), _other = a_working_slice(), a_working_slice()
    track_slices(utcnow())
    market.fill(first)

    def fail(_broker_order_id: str) -> object:
        raise BookUnavailable("GeneralException", "not now")

    monkeypatch.setattr(market, "order_trades", fail)

    assert track_and_count(market) == (1, 2)
    assert a_slice(one).status is SliceStatus.FILLED
    assert track_and_count(market) == (1, 0)


def test_when_the_broker_is_away_a_look_up_is_no_way_round(market: SimulatedBroker) -> None:
    for _ in range(2):
        a_working_slice()
    track_slices(utcnow())
    market.is_book_readable = False

    with pytest.raises(BookUnavailable):
        track_slices(utcnow())


def test_reconciling_reads_the_whole_book_whatever_was_looked_up(market: SimulatedBroker) -> None:
    for _ in range(2):
        a_working_slice()
    track_slices(utcnow())
    before = market.readings

    reconcile(utcnow())

    assert market.readings == before + 1


def test_what_was_looked_up_is_no_evidence_of_anything_else() -> None:
    assert issubclass(Book, Shown)
    assert set(vars(Shown)) & {"is_evidence", "lacking", "by_client_order_id"} == set()


def looks_with_a_clock() -> tuple[Looks, ManualClock]:
    clock = ManualClock()
    return Looks(clock.monotonic), clock


def test_without_postbacks_an_order_is_looked_up_each_time() -> None:
    looks, _clock = looks_with_a_clock()

    for _ in range(5):
        assert looks.due(["1"]) == ["1"]
        looks.note("1", is_news=False)


def test_while_postbacks_come_an_order_without_news_is_looked_up_more_and_more_slowly() -> None:
    looks, clock = looks_with_a_clock()
    looks.hint(["9"])
    pauses = []

    for _ in range(4):
        looks.note("1", is_news=False)
        began = clock.monotonic()
        while not looks.due(["1"]):
            clock.sleep(0.5)
        pauses.append(clock.monotonic() - began)

    assert pauses == [FIRST_PAUSE, 2 * FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_a_hint_makes_the_look_come_at_once_and_news_the_next_one() -> None:
    looks, _clock = looks_with_a_clock()
    looks.hint(["9"])
    for one in ("1", "2"):
        looks.note(one, is_news=False)
    assert looks.due(["1", "2"]) == []

    looks.hint(["2"])
    assert looks.due(["1", "2"]) == ["2"]
    looks.note("2", is_news=True)
    assert looks.due(["1", "2"]) == ["2"]


def test_news_that_no_postback_told_of_end_the_trust_in_postbacks_until_the_next() -> None:
    looks, clock = looks_with_a_clock()
    looks.hint(["9"])
    clock.sleep(1)
    looks.note("1", is_news=True)
    looks.note("2", is_news=False)
    assert looks.due(["2"]) == ["2"]

    clock.sleep(1)
    looks.hint(["1"])
    looks.note("2", is_news=False)
    assert looks.due(["2"]) == []


def test_after_a_failure_nothing_is_looked_up_for_a_while() -> None:
    looks, clock = looks_with_a_clock()
    looks.fail()
    assert looks.is_resting
    clock.sleep(PAUSE_AFTER_FAILURE)
    assert not looks.is_resting
