"""An order under way is amended: what is unsent is planned anew, what was ever claimed stays, sums hold."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from api_contract.errors import (
    DuplicateOrderUniqueKey,
    InvalidLot,
    InvalidQuantity,
    InvalidRequest,
    InvalidState,
    NotFound,
    QuantityTooLarge,
    QuantityTooSmall,
    RiskLimit,
    ServiceUnavailable,
)
from api_contract.risk_rules import RiskLimits
from api_contract.vocabulary import (
    AtEnd,
    CatchUp,
    Leftover,
    OrderResult,
    OrderStatus,
    OrderType,
    SliceStatus,
    WorkingSlices,
)
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.errors import RowsLocked
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.risk import setting
from pulse_core.trading.order import amend
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.amend import amend_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.reports import OrderSnapshot
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import day_used, orders, slices
from pulse_core.trading.tables import OrderSlice
from tests.support.broker import SimulatedBroker, accept, accept_and_fill, lose_the_request
from tests.support.factories import (
    a_new_order,
    a_slice,
    a_split_order,
    an_account,
    an_order,
    order,
    sessions_waiting_for_a_lock,
    slices_of,
)
from tests.support.processes import wait_until

MINUTE = timedelta(minutes=1)
LONG_AGO, FAR_AWAY = datetime(2020, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def amended(order_id: str, now: datetime | None = None, **changes: Any) -> OrderSnapshot:
    account = order(order_id).account_id
    return amend_order(OneAccount(account), order_id, changes, account, now or utcnow(), None)


def quantities(order_id: str, *statuses: SliceStatus) -> list[int]:
    return [one.quantity for one in slices_of(order_id) if not statuses or one.status in statuses]


def unsent(order_id: str) -> list[int]:
    return quantities(order_id, SliceStatus.SCHEDULED)


def amendments(order_id: str) -> Sequence[dict[str, Any]]:
    with db.transaction() as session:
        told = select(SliceEvent.detail).where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.AMENDED)
        return session.scalars(told.order_by(SliceEvent.id)).all()


def minutes(order_id: str, of: Sequence[OrderSlice] | None = None) -> list[float]:
    start = order(order_id).start_at
    return [round((one.due_at - start) / MINUTE, 3) for one in of or slices_of(order_id)]


def test_what_is_unsent_shares_a_smaller_total(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill]
    order_id = a_split_order()
    execute_slice(slices_of(order_id)[0].id)

    shown = amended(order_id, total_quantity=60)

    assert (shown.total_quantity, shown.exposure.total) == (60, 60)
    assert unsent(order_id) == [10, 10, 10, 10]
    assert minutes(order_id) == [0, 15, 30, 45, 60]
    actor = order(order_id).account_id
    assert amendments(order_id) == [{"field": "total_quantity", "before": 100, "after": 60, "actor": actor}]


def test_and_a_larger_one(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill]
    order_id = a_split_order()
    execute_slice(slices_of(order_id)[0].id)

    assert amended(order_id, total_quantity=130).exposure.total == 130

    assert unsent(order_id) == [27, 28, 27, 28]
    assert order(order_id).num_splits == 5


@pytest.mark.parametrize("at_end", AtEnd)
def test_an_order_is_lowered_after_its_window_with_what_is_late_of_it(broker: SimulatedBroker, at_end: AtEnd) -> None:
    order_id = a_split_order(utcnow() - 61 * MINUTE, at_end=at_end)
    late = minutes(order_id)

    shown = amended(order_id, total_quantity=60)

    assert (shown.total_quantity, shown.exposure.total) == (60, 60)
    assert (unsent(order_id), minutes(order_id)) == ([12] * 5, late)


def test_slices_that_nothing_is_left_for_end(broker: SimulatedBroker) -> None:
    order_id = a_split_order(total_quantity=10)
    execute_slice(slices_of(order_id)[0].id)

    amended(order_id, total_quantity=4)

    ended = [one for one in slices_of(order_id) if one.status is SliceStatus.CANCELLED]
    assert (sum(unsent(order_id)), len(ended)) == (2, 2)
    assert {one.error_code for one in ended} == {"AMENDED"}


def test_no_less_than_what_is_filled_or_may_still_be(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill, accept, lose_the_request]
    order_id = a_split_order(duration_minutes=1)
    for one in slices_of(order_id)[:3]:
        with db.transaction() as session:
            slices.change(session, one.id, utcnow(), due_at=utcnow())
        execute_slice(one.id)
    track_slices(utcnow())
    statuses = [one.status for one in slices_of(order_id)]
    assert statuses[:3] == [SliceStatus.FILLED, SliceStatus.WORKING, SliceStatus.UNKNOWN]

    with pytest.raises(QuantityTooSmall) as refused:
        amended(order_id, total_quantity=59)

    assert refused.value.details == {"field": "total_quantity", "total_quantity": 59, "min": 60}
    assert (unsent(order_id), order(order_id).total_quantity, amendments(order_id)) == ([20, 20], 100, [])
    assert amended(order_id, total_quantity=60).exposure.unsent == 0
    assert order(order_id).status is OrderStatus.IN_PROGRESS


def test_what_was_claimed_before_keeps_its_quantity(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    with db.transaction() as session:
        slices.change(session, first.id, utcnow(), attempts=1)

    with pytest.raises(QuantityTooSmall):
        amended(order_id, total_quantity=19)
    amended(order_id, total_quantity=40)

    assert unsent(order_id) == [20, 5, 5, 5, 5]


def test_lowered_to_what_is_filled_the_order_is_done(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill]
    order_id = a_split_order()
    execute_slice(slices_of(order_id)[0].id)
    track_slices(utcnow())

    shown = amended(order_id, total_quantity=20)

    assert (shown.status, shown.result, shown.leaves_quantity) == (OrderStatus.DONE, OrderResult.FILLED, 0)


def test_the_rest_keeps_its_places_in_a_longer_and_in_a_shorter_window(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    start = order(order_id).start_at

    shown = amended(order_id, now=start + 15 * MINUTE, duration_minutes=105)

    assert (shown.end_at, shown.split_config.duration_minutes) == (start + 105 * MINUTE, 105)
    assert minutes(order_id)[2:] == [45, 75, 105]
    assert [one.scheduled_at for one in slices_of(order_id)][2:] == [one.due_at for one in slices_of(order_id)][2:]
    amended(order_id, now=start + 15 * MINUTE, end_at=start + 75 * MINUTE)
    assert minutes(order_id)[2:] == [35, 55, 75]
    assert [(one["field"], one["before"], one["after"]) for one in amendments(order_id)][1] == (
        "duration_minutes",
        60,
        105,
    )


def test_an_order_that_is_not_split_yet_is_split_as_amended() -> None:
    order_id = an_order(total_quantity=100)

    amended(order_id, total_quantity=50, duration_minutes=40, client_note="half of it")
    split_orders([order_id], utcnow())

    assert unsent(order_id) == [10] * 5
    assert minutes(order_id) == [0, 10, 20, 30, 40]
    assert order(order_id).client_note == "half of it"
    assert order(an_order()).client_note is None
    with pytest.raises(InvalidQuantity):
        amended(an_order(), total_quantity=4)


def test_a_new_price_is_for_what_is_unsent(broker: SimulatedBroker) -> None:
    order_id = a_split_order(order_type=OrderType.LIMIT, limit_price=Decimal("2510.50"))
    first, second = slices_of(order_id)[:2]
    execute_slice(first.id)

    amended(order_id, limit_price=Decimal("2511.00"))
    with db.transaction() as session:
        slices.change(session, second.id, utcnow(), due_at=utcnow())
    execute_slice(second.id)

    assert [one.limit_price for one in broker.placements] == [Decimal("2510.50"), Decimal("2511.00")]
    assert unsent(order_id) == [20, 20, 20]
    with pytest.raises(InvalidRequest):
        amended(a_split_order(), limit_price=Decimal("2511.00"))


def test_what_was_claimed_at_the_old_price_a_moment_before_is_not_sent_at_it(broker: SimulatedBroker) -> None:
    order_id = a_split_order(order_type=OrderType.LIMIT, limit_price=Decimal("2510.50"))
    first = slices_of(order_id)[0]

    def change_the_price(_seconds: float) -> None:
        with db.transaction() as session:
            locked = orders.lock(session, order_id)
            assert locked is not None
            orders.change(session, locked, utcnow(), limit_price=Decimal("2511.00"))

    broker.wait_for_turn = change_the_price  # type: ignore[method-assign, assignment]
    execute_slice(first.id)

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)
    assert a_slice(first.id).failures == 0


def test_an_amendment_finds_no_room_that_a_claim_under_way_takes(broker: SimulatedBroker) -> None:
    """Between the claim and the wire its shares are out already."""
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    refused: list[QuantityTooSmall] = []

    def lower(_seconds: float) -> None:
        try:
            amended(order_id, total_quantity=19)
        except QuantityTooSmall as error:
            refused.append(error)
        amended(order_id, total_quantity=25)

    broker.wait_for_turn = lower  # type: ignore[method-assign, assignment]
    execute_slice(first.id)

    assert [error.details["min"] for error in refused] == [20]
    assert [one.quantity for one in broker.placements] == [20]
    assert sum(unsent(order_id)) == 5


def test_who_claims_a_slice_is_waited_for_and_not_for_ever(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amend, "TRIES", 2)
    order_id = a_split_order()
    with db.transaction() as session:
        slices.lock_all(session, [slices_of(order_id)[0].id])
        with pytest.raises(ServiceUnavailable, match="nothing was done"):
            amended(order_id, total_quantity=60)
    assert order(order_id).total_quantity == 100
    assert amended(order_id, total_quantity=60).exposure.total == 60


def test_what_does_not_fit_within_the_cap_is_refused_with_the_most_that_can_be(broker: SimulatedBroker) -> None:
    broker.answers = [accept_and_fill] * 4
    order_id = a_split_order(max_slice_multiple=10)
    for one in slices_of(order_id)[:4]:
        with db.transaction() as session:
            slices.change(session, one.id, utcnow(), due_at=utcnow())
        execute_slice(one.id)
    later = order(order_id).end_at - MINUTE

    with pytest.raises(QuantityTooLarge) as refused:
        amended(order_id, now=later, total_quantity=5000, max_slice_multiple=3)

    most = refused.value.details["max_total_quantity"]
    assert 100 <= most < 5000
    assert (unsent(order_id), order(order_id).total_quantity) == ([20], 100)


def test_more_is_sent_in_new_slices_where_none_is_left(broker: SimulatedBroker) -> None:
    order_id = a_split_order(duration_minutes=1, max_slice_multiple=10)
    for one in slices_of(order_id):
        with db.transaction() as session:
            slices.change(session, one.id, utcnow(), due_at=utcnow())
        execute_slice(one.id)

    shown = amended(order_id, total_quantity=110)

    assert (shown.exposure.working, shown.exposure.unsent) == (100, 10)
    assert [(one.sequence_number, one.quantity) for one in slices_of(order_id)][5:] == [(6, 10)]


def test_no_larger_total_and_no_other_price_than_a_limit_allows(broker: SimulatedBroker) -> None:
    account, limited = an_account(), {"order_type": OrderType.LIMIT, "limit_price": Decimal(10)}
    order_id, other = [a_split_order(account_id=account, **limited) for _ in range(2)]
    limits = RiskLimits(order_quantity=150, order_worth=Decimal(1600), day_quantity=230)
    setting.set_limits(account, limits, "terminal", utcnow())

    def refused(**changes: Any) -> dict[str, Any]:
        with pytest.raises(RiskLimit) as found:
            amended(order_id, **changes)
        return found.value.details

    day = {"limit": "day_quantity", "most": 230, "accepted": 100, "asked": 131, "left": 130}
    assert refused(total_quantity=151)["limit"] == "order_quantity"
    assert refused(total_quantity=131) == day
    assert refused(limit_price=Decimal("16.05"))["limit"] == "order_worth"
    assert amendments(order_id) == []

    assert amended(order_id, total_quantity=130, limit_price=Decimal("12.30")).total_quantity == 130
    assert refused(limit_price=Decimal("12.35"))["limit"] == "order_worth"
    cancel_order(OneAccount(account), other, utcnow(), account)
    assert amended(order_id, total_quantity=129).total_quantity == 129


def test_less_is_allowed_whatever_the_limits_are_by_now(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    setting.set_limits(account, RiskLimits(order_quantity=50, instruments={"NSE:TCS"}), "terminal", utcnow())

    assert amended(order_id, total_quantity=60, client_note="less").total_quantity == 60
    with pytest.raises(RiskLimit):
        amended(order_id, total_quantity=61)


def test_orders_that_are_raised_at_once_pass_no_limit_together(broker: SimulatedBroker) -> None:
    account = an_account()
    raised = [a_split_order(account_id=account) for _ in range(3)]
    setting.set_limits(account, RiskLimits(day_quantity=350), "terminal", utcnow())

    def raise_it(order_id: str) -> bool:
        try:
            amended(order_id, total_quantity=150)
        except RiskLimit:
            return False
        return True

    with ThreadPoolExecutor(len(raised)) as pool:
        with db.transaction() as session:
            day_used.wait_for_others(session, account)
            raising = [pool.submit(raise_it, one) for one in raised]
            wait_until(lambda: sessions_waiting_for_a_lock() == len(raised), 30, "all of them waiting for their turn")
        assert sum(one.result() for one in raising) == 1
    assert sum(order(one).total_quantity for one in raised) == 350


def test_whole_lots_only(broker: SimulatedBroker) -> None:
    order_id = an_order()
    with db.transaction() as session:
        locked = orders.lock(session, order_id)
        assert locked is not None
        orders.change(session, locked, utcnow(), lot_size=10, most_per_slice=30)
    split_orders([order_id], utcnow())

    with pytest.raises(InvalidLot) as refused:
        amended(order_id, total_quantity=75)
    assert refused.value.details["nearest"] == [70, 80]
    amended(order_id, total_quantity=70)
    assert sorted(unsent(order_id)) == [10, 10, 10, 20, 20]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"total_quantity": 0},
        {"total_quantity": 10**9 + 1},
        {"duration_minutes": 0},
        {"duration_minutes": 1441},
        {"duration_minutes": 30, "end_at": LONG_AGO},
        {"client_note": "a\x00b"},
        {"client_note": "x" * 201},
        {"limit_price": Decimal("0.001")},
        {"end_at": LONG_AGO},
        {"end_at": FAR_AWAY},
    ],
)
def test_what_no_order_could_have_is_refused(changes: dict[str, Any]) -> None:
    order_id = a_split_order(order_type=OrderType.LIMIT, limit_price=Decimal("2510.50"))
    with pytest.raises(InvalidRequest):
        amended(order_id, **changes)
    assert amendments(order_id) == []


def test_no_window_ends_in_the_past(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    start = order(order_id).start_at
    with pytest.raises(InvalidRequest, match="later than now"):
        amended(order_id, now=start + 30 * MINUTE, duration_minutes=20)


def test_an_order_that_is_over_or_anothers_is_not_amended() -> None:
    order_id = a_split_order()
    account = order(order_id).account_id
    with pytest.raises(NotFound):
        amend_order(OneAccount(an_account()), order_id, {"total_quantity": 50}, account, utcnow(), None)
    cancel_order(OneAccount(account), order_id, utcnow(), account)
    with pytest.raises(InvalidState):
        amended(order_id, total_quantity=50)


def test_what_is_as_it_was_asked_for_is_no_change() -> None:
    order_id = a_split_order()
    before = order(order_id).updated_at
    amended(order_id, total_quantity=100, duration_minutes=60, client_note=None)
    assert (order(order_id).updated_at, amendments(order_id)) == (before, [])


def test_a_paused_order_is_amended_and_stays_paused(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    account = order(order_id).account_id
    pause_order(OneAccount(account), order_id, account, utcnow())
    assert amended(order_id, total_quantity=50).status is OrderStatus.PAUSED
    assert sum(unsent(order_id)) == 50


def test_the_order_as_it_was_placed_is_still_a_repeat_of_itself() -> None:
    account, now = an_account(), utcnow()
    placed = a_new_order(order_type=OrderType.LIMIT, limit_price=Decimal("2510.50"), client_note="mine")
    order_id = submit_order(account, placed, now).order_id
    split_orders([order_id], now)
    amended(order_id, total_quantity=60, duration_minutes=30, limit_price=Decimal("2511.00"), client_note=None)
    amended(order_id, total_quantity=70)

    again = submit_order(account, placed, now)

    assert (again.order_id, again.is_new) == (order_id, False)
    other = a_new_order(order_unique_key=placed.order_unique_key, total_quantity=70)
    with pytest.raises(DuplicateOrderUniqueKey) as refused:
        submit_order(account, other, now)
    assert "total_quantity" in refused.value.details["differs"]


def test_a_slice_that_is_held_is_not_claimed(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    first = slices_of(order_id)[0]
    with db.transaction() as session:
        held = slices.hold_unsent(session, order_id)
        assert held is not None
        with pytest.raises(RowsLocked):
            execute_slice(first.id)
    assert len(held) == 5
    # Whoever holds it keeps it from being claimed.
    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)


def test_how_it_catches_up_is_amended_too(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    most = order(order_id).most_per_interval
    assert most is not None

    shown = amended(order_id, catch_up=CatchUp.SKIP, max_slice_multiple=1, leftover=Leftover.DROP)

    assert (shown.catch_up, shown.max_slice_multiple, shown.leftover) == (CatchUp.SKIP, 1, Leftover.DROP)
    assert order(order_id).most_per_interval == most // 3
    assert unsent(order_id) == [20] * 5
    assert [one["field"] for one in amendments(order_id)] == ["catch_up", "max_slice_multiple", "leftover"]


def test_the_pace_of_the_order_is_that_of_its_new_plan(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    before = order(order_id)
    amended(order_id, total_quantity=200, duration_minutes=120)
    after = order(order_id)
    assert (after.pace_interval, after.most_per_interval) == (30 * MINUTE, 2 * (before.most_per_interval or 0))


def test_what_is_called_back_comes_back_within_the_new_total(broker: SimulatedBroker) -> None:
    order_id = a_split_order()
    account, first = order(order_id).account_id, slices_of(order_id)[0]
    execute_slice(first.id)
    broker.fill(a_slice(first.id).broker_order_id or "", 8)
    pause_order(OneAccount(account), order_id, account, utcnow(), working=WorkingSlices.CANCEL)
    cancel_slices(utcnow())
    track_slices(utcnow())
    amended(order_id, total_quantity=60)
    assert sum(unsent(order_id)) == 52

    resume_order(OneAccount(account), order_id, account, utcnow())

    assert a_slice(first.id).status is SliceStatus.CANCELLED
    assert 8 + sum(unsent(order_id)) == 60


def test_the_rest_of_what_expires_later_comes_back_after_an_amendment(broker: SimulatedBroker) -> None:
    order_id = a_split_order(total_quantity=10)
    account, first = order(order_id).account_id, slices_of(order_id)[0]
    execute_slice(first.id)
    amended(order_id, total_quantity=4)
    pause_order(OneAccount(account), order_id, account, utcnow(), working=WorkingSlices.CANCEL)
    cancel_slices(utcnow())
    track_slices(utcnow())
    assert sum(unsent(order_id)) == 2

    resume_order(OneAccount(account), order_id, account, utcnow())

    assert sum(unsent(order_id)) == 4
