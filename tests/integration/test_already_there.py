"""What a broker says that it has is never sent again, and one that can look ids up is asked instead of its book."""

from datetime import timedelta

import pytest

from api_contract.errors import InvalidState
from api_contract.vocabulary import SliceStatus
from pulse_core import failpoints
from pulse_core.brokers.port import (
    ALREADY_THERE,
    AlreadyThere,
    BookUnavailable,
    BrokerOrderStatus,
    OutcomeUnknown,
    Placement,
)
from pulse_core.trading.book.reading import BOOK_KEPT
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.leases import expire_claims
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.settlement import doubted_before, settle_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.integration.test_recording import cut_all_connections
from tests.integration.test_resolve import alarms, outcomes
from tests.support.broker import SimulatedBroker, SimulatedFinder, answer_with, lose_the_request
from tests.support.factories import a_slice, a_split_order, later, settle_delay, slices_of, watch_the_book

LOOK = timedelta(seconds=2)


def enter_and_say_so(broker: SimulatedBroker, placement: Placement) -> str:
    raise AlreadyThere("client_order_id must be unique", broker.enter(placement))


def enter_and_name_no_order(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise AlreadyThere("client_order_id must be unique")


def sent(broker: SimulatedBroker, answer: object) -> str:
    broker.answers = [answer]  # type: ignore[list-item]
    slice_id = slices_of(a_split_order())[0].id
    execute_slice(slice_id)
    return slice_id


@pytest.fixture
def finder(broker: SimulatedBroker) -> SimulatedFinder:
    broker.finder = SimulatedFinder(broker)
    return broker.finder


def look_for(seconds: float, since: float = 0) -> None:
    """Look every two seconds, as the sweep does."""
    at = later(since)
    for step in range(int(seconds / LOOK.total_seconds()) + 1):
        resolve_slices(at + step * LOOK)


def test_an_order_that_is_there_already_works_under_the_id_that_the_broker_tells(broker: SimulatedBroker) -> None:
    slice_id = sent(broker, enter_and_say_so)

    found = a_slice(slice_id)
    assert (found.status, found.broker_order_id, found.error_code) == (
        SliceStatus.WORKING,
        next(iter(broker.book)),
        None,
    )
    assert outcomes(slice_id) == [PlacementOutcome.ACKNOWLEDGED]


def test_without_an_id_it_is_found_in_the_book(broker: SimulatedBroker) -> None:
    slice_id = sent(broker, enter_and_name_no_order)
    assert a_slice(slice_id).status is SliceStatus.UNKNOWN

    resolve_slices(later(0))

    assert (a_slice(slice_id).status, len(broker.placements)) == (SliceStatus.WORKING, 1)


def test_what_the_broker_says_is_there_is_never_taken_for_absent_but_left_to_an_operator(
    broker: SimulatedBroker,
) -> None:
    slice_id = sent(broker, answer_with(AlreadyThere("client_order_id must be unique")))
    first_look = later(0)

    watch_the_book(first_look, first_look + 3 * settle_delay())

    assert (a_slice(slice_id).status, len(broker.placements)) == (SliceStatus.UNKNOWN, 1)
    assert len(alarms(slice_id)) == 1
    settle_slice(slice_id, "acc_operator", later(0), absent=True, reason="the broker's staff says so")
    assert a_slice(slice_id).status is SliceStatus.FAILED


def test_a_slice_is_looked_up_by_its_id_though_the_book_cannot_be_read(
    broker: SimulatedBroker, finder: SimulatedFinder
) -> None:
    slice_id = sent(broker, enter_and_name_no_order)
    broker.fill(next(iter(broker.book)))
    broker.is_book_readable = False

    resolve_slices(later(0))

    found = a_slice(slice_id)
    assert (found.status, found.filled_quantity, broker.readings) == (SliceStatus.FILLED, 20, 0)
    assert finder.asked == [broker.placements[0].client_order_id]


def test_an_id_that_is_in_use_nowhere_for_long_enough_was_not_placed(
    broker: SimulatedBroker, finder: SimulatedFinder
) -> None:
    slice_id = sent(broker, lose_the_request)
    look_for(finder.certain_after.total_seconds() - 2)
    assert a_slice(slice_id).status is SliceStatus.UNKNOWN

    look_for(4, since=finder.certain_after.total_seconds())

    assert (a_slice(slice_id).status, outcomes(slice_id)) == (SliceStatus.SCHEDULED, [PlacementOutcome.ABSENT])
    assert finder.certain_after < settle_delay()


def test_a_look_that_failed_begins_the_wait_anew(broker: SimulatedBroker, finder: SimulatedFinder) -> None:
    slice_id, certain = sent(broker, lose_the_request), finder.certain_after.total_seconds()
    look_for(certain - 4)
    finder.is_down = True
    with pytest.raises(BookUnavailable):
        resolve_slices(later(certain))
    finder.is_down = False

    look_for(certain - 4, since=certain + 6)

    assert a_slice(slice_id).status is SliceStatus.UNKNOWN


def test_what_the_broker_says_is_there_is_not_absent_either_where_its_id_is_not_found(
    broker: SimulatedBroker, finder: SimulatedFinder
) -> None:
    slice_id = sent(broker, answer_with(AlreadyThere("client_order_id must be unique")))

    look_for(2 * finder.certain_after.total_seconds())

    assert (a_slice(slice_id).status, len(alarms(slice_id))) == (SliceStatus.UNKNOWN, 1)


def test_an_ordinary_doubt_cannot_be_settled_while_the_broker_can_be_asked(
    broker: SimulatedBroker, finder: SimulatedFinder
) -> None:
    slice_id = sent(broker, answer_with(OutcomeUnknown("TIMEOUT", "no answer within 7 s")))

    with pytest.raises(InvalidState, match="can still tell"):
        settle_slice(slice_id, "acc_operator", later(0), absent=True, reason="I think so")


@pytest.mark.parametrize(("filled", "is_called_back"), [(0, False), (7, False), (0, True)])
def test_an_order_that_expires_with_its_session_is_expired_with_what_it_filled(
    broker: SimulatedBroker, filled: int, is_called_back: bool
) -> None:
    slice_id = sent(broker, enter_and_say_so)
    broker_order_id = next(iter(broker.book))
    if filled:
        broker.fill(broker_order_id, filled)
    if is_called_back:
        cancel_slices(later(120))
    broker.end(broker_order_id, BrokerOrderStatus.EXPIRED)

    track_slices(later(121))

    assert (a_slice(slice_id).status, a_slice(slice_id).filled_quantity) == (SliceStatus.EXPIRED, filled)


@pytest.mark.parametrize("is_put_back", [False, True])
def test_the_word_that_an_order_is_there_counts_though_its_slice_was_given_up_meanwhile(
    broker: SimulatedBroker, is_put_back: bool
) -> None:
    slice_id = slices_of(a_split_order())[0].id

    def give_up() -> None:
        del failpoints.actions["execute.after_send"]
        cut_all_connections()
        hidden, broker.book, start = broker.book, {}, later(60)
        expire_claims(start)
        if is_put_back:
            watch_the_book(start, start + settle_delay())
        broker.book = hidden

    failpoints.actions["execute.after_send"] = give_up
    broker.answers = [enter_and_name_no_order]

    execute_slice(slice_id)

    found = a_slice(slice_id)
    assert (found.status, found.error_code) == (SliceStatus.UNKNOWN, ALREADY_THERE)
    execute_slice(slice_id, clock=lambda: later(600))
    resolve_slices(later(600))
    assert (a_slice(slice_id).status, len(broker.placements)) == (SliceStatus.WORKING, 1)


def test_an_account_whose_orders_can_be_looked_up_for_ever_hides_no_old_doubt_of_others(
    broker: SimulatedBroker, finder: SimulatedFinder
) -> None:
    now = later(0)

    assert (finder.broker.finder, doubted_before(now)) == (finder, now - BOOK_KEPT)
