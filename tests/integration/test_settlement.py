"""An operator says what became of a slice that no book can tell of: once, within bounds, and only when no book can."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import brokers, config, db
from pulse_core.brokers.port import Broker
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.day_end import end_day
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.settlement import settle_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import placements
from pulse_core.trading.tables import Fill, Placement
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import PRICE, SimulatedBroker, accept_but_lose_the_answer, lose_the_request
from tests.support.factories import a_slice, a_split_order, order, slices_of

SOLD = Decimal("2501.5")


@pytest.fixture(autouse=True)
def _one_day(broker: SimulatedBroker) -> None:
    broker.is_book_daily = True


@pytest.fixture
def left_to_operators(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """PULSE_SETTLE_DELAY=never."""
    never = settings().model_copy(update={"settle_delay": "never"})
    monkeypatch.setattr("pulse_core.trading.slice.settlement.settings", lambda: never)
    assert config.settings() is not never


def tomorrow() -> datetime:
    return (utcnow() + timedelta(days=1, minutes=2)).replace(hour=0, minute=5)


def an_unknown_slice(broker: SimulatedBroker, **terms: Any) -> str:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order(**terms))[0]
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.UNKNOWN
    return first.id


def an_unseen_end(broker: SimulatedBroker, filled: int = 8) -> str:
    """A slice of 20 that worked over the end of the day, `filled` by then as far as is known."""
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker.fill(a_slice(first.id).broker_order_id or "", filled)
    track_slices(utcnow())
    broker.book.clear()
    broker.trades.clear()
    end_day(tomorrow())
    return first.id


def attempt_of(slice_id: str) -> Placement:
    with db.transaction() as session:
        return placements.of_slice(session, slice_id)[-1]


def fills_of(slice_id: str) -> list[Fill]:
    with db.transaction() as session:
        return list(session.scalars(select(Fill).where(Fill.slice_id == slice_id).order_by(Fill.id)))


def requests(slice_id: str) -> list[dict[str, Any]]:
    return [one.detail for one in operations.slice_history(slice_id).events if one.kind is EventKind.REQUEST]


def test_an_unknown_slice_that_was_filled_in_full_is_filled(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    assert settle_slice(slice_id, "meera", tomorrow(), filled=20, price=SOLD) is SliceStatus.FILLED

    one, attempt, [fill] = a_slice(slice_id), attempt_of(slice_id), fills_of(slice_id)
    assert (one.filled_quantity, one.average_price, one.error_code) == (20, SOLD, None)
    assert (attempt.outcome, attempt.ended_at is not None) == (PlacementOutcome.ACKNOWLEDGED, True)
    assert (fill.settled_by, fill.broker_order_id) == ("meera", attempt.client_order_id)
    assert fill.broker_trade_id == f"settled-{attempt.client_order_id}-1"
    assert order(one.order_id).filled_quantity == 20


def test_an_unknown_slice_that_was_filled_in_part_expires_with_its_fills(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    assert settle_slice(slice_id, "meera", tomorrow(), filled=7, price=SOLD) is SliceStatus.EXPIRED
    assert a_slice(slice_id).filled_quantity == 7


def test_what_was_said_and_by_whom_is_kept(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    settle_slice(slice_id, "meera", tomorrow(), filled=7, price=SOLD, reason="the contract note says so")

    said = {"filled": 7, "price": "2501.5", "reason": "the contract note says so", "seen": "UNKNOWN"}
    about = {"client_order_id": attempt_of(slice_id).client_order_id}
    assert requests(slice_id) == [{"request": "settle", "actor": "meera", **said, **about}]
    assert not [one for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM]


def test_a_slice_that_was_never_placed_has_failed_and_can_be_sent_again(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    assert settle_slice(slice_id, "meera", tomorrow(), absent=True, reason="not in the tradebook") is SliceStatus.FAILED

    one = a_slice(slice_id)
    assert (one.error_code, one.error_message) == ("SETTLED_ABSENT", "not in the tradebook")
    assert attempt_of(slice_id).outcome is PlacementOutcome.ABSENT
    operations.retry_slice(slice_id, "meera", utcnow())
    execute_slice(slice_id)
    assert a_slice(slice_id).status is SliceStatus.WORKING
    assert len({one.client_order_id for one in broker.placements}) == 2


def test_the_order_ends_with_its_last_doubt(broker: SimulatedBroker) -> None:
    order_id = a_split_order(num_splits=2, duration_minutes=1)
    end_at = order(order_id).end_at
    broker.answers = [lose_the_request, lose_the_request]
    first, second = slices_of(order_id)
    for one in (first, second):
        execute_slice(one.id, clock=lambda: end_at)

    settle_slice(first.id, "meera", tomorrow(), filled=50, price=SOLD)
    assert order(order_id).status is OrderStatus.IN_PROGRESS
    settle_slice(second.id, "meera", tomorrow(), absent=True, reason="not in the tradebook")

    ended = order(order_id)
    assert (ended.status, ended.result, ended.filled_quantity) == (OrderStatus.DONE, OrderResult.PARTIALLY_FILLED, 50)


def test_an_unseen_end_takes_the_fills_that_were_not_known(broker: SimulatedBroker) -> None:
    slice_id = an_unseen_end(broker)
    average = Decimal("2500.7")

    assert settle_slice(slice_id, "meera", tomorrow(), filled=15, price=average) is SliceStatus.EXPIRED

    known, added = fills_of(slice_id)
    one = a_slice(slice_id)
    assert (known.quantity, known.price, known.settled_by) == (8, PRICE, None)
    assert (added.quantity, added.settled_by) == (7, "meera")
    assert added.broker_order_id == known.broker_order_id
    assert (one.filled_quantity, one.average_price, one.error_code) == (15, average, None)


def test_an_unseen_end_without_further_fills_is_settled_as_it_stands(broker: SimulatedBroker) -> None:
    slice_id = an_unseen_end(broker)

    settle_slice(slice_id, "meera", tomorrow(), absent=True, reason="nothing more in the tradebook")

    one = a_slice(slice_id)
    assert (one.status, one.filled_quantity, one.error_code) == (SliceStatus.EXPIRED, 8, None)
    assert (attempt_of(slice_id).outcome, len(fills_of(slice_id))) == (PlacementOutcome.ACKNOWLEDGED, 1)


def test_the_totals_of_an_ended_order_follow(broker: SimulatedBroker) -> None:
    order_id = a_split_order(num_splits=2, duration_minutes=1)
    end_at = order(order_id).end_at
    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    broker.book.clear()
    end_day(tomorrow())
    assert order(order_id).result is OrderResult.UNFILLED

    for one in slices_of(order_id):
        settle_slice(one.id, "meera", tomorrow(), filled=50, price=SOLD)

    ended = order(order_id)
    assert (ended.result, ended.filled_quantity, ended.average_price) == (OrderResult.FILLED, 100, SOLD)


def test_settling_again_changes_nothing_and_says_how_it_stands(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)
    settle_slice(slice_id, "meera", tomorrow(), filled=20, price=SOLD)

    with pytest.raises(InvalidState, match="FILLED") as refused:
        settle_slice(slice_id, "meera", tomorrow(), filled=20, price=SOLD)

    assert refused.value.details == {"status": "FILLED"}
    assert (len(fills_of(slice_id)), len(requests(slice_id))) == (1, 1)


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({}, "filled, or absent"),
        ({"filled": 5, "price": SOLD, "absent": True, "reason": "both"}, "one of the two"),
        ({"filled": 5}, "belong together"),
        ({"price": SOLD, "absent": True, "reason": "no"}, "belong together"),
        ({"filled": 0, "price": SOLD}, "filled must be from 1"),
        ({"filled": 21, "price": SOLD}, "filled must be from 1 to 20"),
        ({"filled": 5, "price": Decimal(0)}, "price must be"),
        ({"filled": 5, "price": Decimal(-1)}, "price must be"),
        ({"filled": 5, "price": Decimal("NaN")}, "price must be"),
        ({"filled": 5, "price": Decimal("1.00001")}, "at most 4 decimals"),
        ({"filled": 5, "price": Decimal("10000001")}, "price must be"),
        ({"absent": True}, "reason is needed"),
        ({"absent": True, "reason": "  "}, "reason is needed"),
        ({"absent": True, "reason": "x" * 201}, "at most 200"),
        ({"filled": 5, "price": SOLD, "reason": "two\nlines"}, "printable"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    broker: SimulatedBroker, said: dict[str, Any], named: str
) -> None:
    slice_id = an_unknown_slice(broker)

    with pytest.raises(InvalidRequest, match=named):
        settle_slice(slice_id, "meera", tomorrow(), **said)
    assert (a_slice(slice_id).status, fills_of(slice_id), requests(slice_id)) == (SliceStatus.UNKNOWN, [], [])


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"filled": 7, "price": SOLD}, "filled must be from 8 to 20"),
        ({"filled": 9, "price": Decimal(1)}, "with the 8 shares that are booked"),
    ],
)
def test_what_contradicts_the_booked_fills_is_refused(
    broker: SimulatedBroker, said: dict[str, Any], named: str
) -> None:
    slice_id = an_unseen_end(broker)

    with pytest.raises(InvalidRequest, match=named):
        settle_slice(slice_id, "meera", tomorrow(), **said)
    assert (a_slice(slice_id).filled_quantity, a_slice(slice_id).error_code) == (8, "END_UNSEEN")


def test_a_slice_that_does_not_exist_is_not_found(broker: SimulatedBroker) -> None:
    with pytest.raises(NotFound):
        settle_slice("sl_nothing", "meera", tomorrow(), filled=5, price=SOLD)


def test_a_slice_of_which_everything_is_known_is_refused(broker: SimulatedBroker) -> None:
    working, scheduled = slices_of(a_split_order())[:2]
    execute_slice(working.id)

    for one, status in ((working, "WORKING"), (scheduled, "SCHEDULED")):
        with pytest.raises(InvalidState, match=f"it is {status}"):
            settle_slice(one.id, "meera", tomorrow(), filled=5, price=SOLD)


def test_a_slice_whose_fence_is_held_is_refused(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    with db.fence(slice_id), pytest.raises(InvalidState, match="worked on"):
        settle_slice(slice_id, "meera", tomorrow(), filled=5, price=SOLD)


def test_on_its_day_the_book_is_left_to_tell(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    with pytest.raises(InvalidState, match="the broker's book can still tell"):
        settle_slice(slice_id, "meera", utcnow(), filled=5, price=SOLD)
    assert a_slice(slice_id).status is SliceStatus.UNKNOWN


@pytest.mark.usefixtures("left_to_operators")
def test_an_operator_who_settles_each_doubt_does_it_on_the_same_day(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)

    assert settle_slice(slice_id, "meera", utcnow(), absent=True, reason="called them") is SliceStatus.FAILED


@pytest.mark.usefixtures("left_to_operators")
def test_what_the_book_of_today_shows_is_not_for_an_operator_to_say(broker: SimulatedBroker) -> None:
    broker.answers = [accept_but_lose_the_answer]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)

    with pytest.raises(InvalidState, match="the broker's book shows it; resolve it"):
        settle_slice(first.id, "meera", utcnow(), absent=True, reason="called them")
    assert a_slice(first.id).status is SliceStatus.UNKNOWN


@pytest.mark.usefixtures("left_to_operators")
def test_a_book_that_lacks_what_the_broker_acknowledged_proves_nothing_to_an_operator_either(
    broker: SimulatedBroker,
) -> None:
    execute_slice(slices_of(a_split_order())[0].id)
    slice_id = an_unknown_slice(broker)
    broker.book.clear()

    with pytest.raises(InvalidState, match="proves nothing"):
        settle_slice(slice_id, "meera", utcnow(), absent=True, reason="called them")


@pytest.mark.usefixtures("left_to_operators")
def test_a_book_that_cannot_be_read_is_waited_for(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)
    broker.is_book_readable = False

    with pytest.raises(InvalidState, match="cannot be read for now"):
        settle_slice(slice_id, "meera", utcnow(), absent=True, reason="called them")


def test_after_its_day_no_book_is_asked(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)
    broker.is_book_readable = False

    assert settle_slice(slice_id, "meera", tomorrow(), filled=5, price=SOLD) is SliceStatus.EXPIRED


def test_an_order_of_an_account_that_is_not_reached_is_settled_when_no_book_of_a_day_can_show_it(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    slice_id = an_unknown_slice(broker)

    def refuse(account: str) -> Broker:
        raise brokers.NotConnected(account)

    monkeypatch.setattr(brokers, "connect", refuse)
    with pytest.raises(InvalidState, match="its book may still tell, and the broker account paper cannot be reached"):
        settle_slice(slice_id, "meera", utcnow(), filled=5, price=SOLD)
    a_day_later = utcnow() + timedelta(days=1, minutes=2)
    assert settle_slice(slice_id, "meera", a_day_later, filled=5, price=SOLD) is SliceStatus.EXPIRED


def test_two_operators_at_once_settle_once(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    slice_id = an_unknown_slice(broker)
    refused: list[str] = []

    def settle_as_well(*_args: object) -> datetime:
        with pytest.raises(InvalidState) as error:
            settle_slice(slice_id, "arjun", tomorrow(), absent=True, reason="not in the tradebook")
        refused.append(error.value.message)
        return tomorrow()

    asked: Callable[..., datetime] = settle_as_well
    monkeypatch.setattr("pulse_core.trading.book.days.sent_since", asked)
    settle_slice(slice_id, "meera", tomorrow(), filled=5, price=SOLD)

    assert [one["actor"] for one in requests(slice_id)] == ["meera"]
    assert "worked on" in refused[0]


def test_a_settled_absence_that_turns_up_is_told_and_its_fills_are_booked(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)
    settle_slice(slice_id, "meera", tomorrow(), absent=True, reason="not in the tradebook")

    broker.fill(broker.enter(broker.placements[0]))
    reconcile(utcnow())

    one, raised = (
        a_slice(slice_id),
        [one for one in operations.slice_history(slice_id).events if one.kind is EventKind.ALARM],
    )
    assert (one.status, one.filled_quantity) == (SliceStatus.FAILED, 20)
    assert AlarmCode.TURNED_UP in [alarm.detail["code"] for alarm in raised]


def test_a_slice_with_two_attempts_in_doubt_is_settled_for_one_after_the_other(broker: SimulatedBroker) -> None:
    slice_id = an_unknown_slice(broker)
    first = attempt_of(slice_id)
    settle_slice(slice_id, "meera", tomorrow(), absent=True, reason="not in the tradebook")
    operations.retry_slice(slice_id, "meera", utcnow())
    broker.answers = [lose_the_request]
    execute_slice(slice_id)
    with db.transaction() as session:
        placements.complete(session, first.client_order_id, PlacementOutcome.UNKNOWN)

    assert settle_slice(slice_id, "meera", tomorrow(), filled=12, price=SOLD) is SliceStatus.UNKNOWN
    assert a_slice(slice_id).client_order_id == first.client_order_id
    assert settle_slice(slice_id, "meera", tomorrow(), absent=True, reason="looked again") is SliceStatus.FAILED
    assert (a_slice(slice_id).filled_quantity, a_slice(slice_id).error_code) == (12, "SETTLED_ABSENT")
