"""What a client reads adds up in every state, and pages cover every order once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import pytest

from api_contract.errors import InvalidRequest, NotFound
from api_contract.vocabulary import FINAL_ORDERS, OrderStatus, Side, SliceStatus
from pulse_core.brokers.port import BrokerOrderStatus, NotSent, Refused
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.trading.exposure import Exposure
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.queries import order_page, order_report, slice_list
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store.orders import OrderFilters
from tests.support.broker import (
    SimulatedBroker,
    accept,
    accept_and_fill,
    accept_but_lose_the_answer,
    answer_with,
    lose_the_request,
)
from tests.support.factories import a_slice, a_split_order, an_account, an_order, order, slices_of

ANSWERS = [
    accept,
    accept_and_fill,
    accept_but_lose_the_answer,
    lose_the_request,
    answer_with(Refused("MarginException", "not enough funds")),
    answer_with(NotSent("CONNECTION_REFUSED", "nobody listens")),
]


@pytest.mark.parametrize("seed", range(4))
def test_exposure_adds_up_after_every_step_whatever_happens(broker: SimulatedBroker, seed: int) -> None:
    random, account = Random(seed), an_account()
    order_id, now = a_split_order(account_id=account, num_splits=8, duration_minutes=1, randomize=True), utcnow()

    def execute() -> None:
        execute_slice(random.choice(slices_of(order_id)).id, clock=lambda: now)

    def trade() -> None:
        live = [row for row in broker.book.values() if row.status is BrokerOrderStatus.OPEN]
        if live:
            row = random.choice(live)
            broker.fill(row.broker_order_id, random.randint(1, row.quantity - row.filled_quantity))

    steps: list[Callable[[], object]] = [
        execute,
        execute,
        execute,
        trade,
        lambda: track_slices(now),
        lambda: resolve_slices(now),
        lambda: reconcile(now),
        lambda: cancel_slices(now),
    ]
    broker.answers = [random.choice(ANSWERS) for _ in range(100)]
    for step in range(45):
        now += timedelta(seconds=3)
        random.choice(steps)()
        if step == 35 and order(order_id).status not in FINAL_ORDERS:
            cancel_order(OneAccount(account), order_id, now, account)
        check_sums(account, order_id, broker)


def check_sums(account: str, order_id: str, broker: SimulatedBroker) -> None:
    report, slices = order_report(OneAccount(account), order_id), slice_list(OneAccount(account), order_id).slices
    assert report.exposure.total <= report.total_quantity
    assert report.filled_quantity == report.exposure.filled == sum(one.filled_quantity for one in slices)
    assert sum(report.slices.values()) == len(slices)
    assert report.leaves_quantity == (0 if report.status in FINAL_ORDERS else 100 - report.filled_quantity)
    open_rows = [row for row in broker.book.values() if row.status is BrokerOrderStatus.OPEN]
    live = sum(row.quantity - row.filled_quantity for row in open_rows)
    traded = sum(trade.quantity for trade in broker.trades)
    assert report.filled_quantity <= traded
    assert live <= report.exposure.working + report.exposure.on_its_way + report.exposure.unknown
    assert live + traded <= report.total_quantity
    assert report.result is None or report.status in FINAL_ORDERS


def test_an_order_that_is_not_split_yet_counts_as_unsent(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = an_order(account_id=account)

    report = order_report(OneAccount(account), order_id)

    assert (report.status, report.exposure) == (OrderStatus.PENDING, Exposure(unsent=100))
    assert slice_list(OneAccount(account), order_id).slices == []


def test_a_slice_says_when_and_how_it_was_sent_and_what_went_wrong(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    execute_slice(slices_of(order_id)[0].id)

    rejected, untouched, *_ = slice_list(OneAccount(account), order_id).slices

    assert (rejected.status, rejected.attempts, rejected.error_code, rejected.error_message) == (
        SliceStatus.REJECTED,
        1,
        "MarginException",
        "not enough funds",
    )
    assert rejected.sent_at == a_slice(rejected.slice_id).sent_at
    assert (untouched.sent_at, untouched.attempts, untouched.error_code) == (None, 0, None)


def test_an_order_of_somebody_else_does_not_exist(broker: SimulatedBroker) -> None:
    order_id = a_split_order()

    for read in (order_report, slice_list):
        with pytest.raises(NotFound):
            read(OneAccount(an_account()), order_id)


def listed(account: str, limit: int = 50, **filters: object) -> list[str]:
    return [one.order_id for one in order_page(OneAccount(account), OrderFilters(**filters), limit, None).orders]


@pytest.mark.parametrize("limit", [1, 3, 7, 8])
def test_pages_cover_every_order_once_the_newest_first_while_new_ones_arrive(
    broker: SimulatedBroker, limit: int
) -> None:
    account, start = an_account(), utcnow()
    made = [an_order(start + timedelta(milliseconds=number), account) for number in range(7)]
    an_order()
    seen: list[str] = []
    page = order_page(OneAccount(account), OrderFilters(), limit, None)
    while True:
        seen += [one.order_id for one in page.orders]
        assert len(page.orders) <= limit
        if page.next_cursor is None:
            break
        an_order(start + timedelta(seconds=len(seen)), account)
        page = order_page(OneAccount(account), OrderFilters(), limit, page.next_cursor)

    assert seen == made[::-1]


def test_orders_of_the_same_millisecond_are_paged_without_gaps(broker: SimulatedBroker) -> None:
    account, now = an_account(), utcnow()
    made = {an_order(now, account) for _ in range(5)}
    first = order_page(OneAccount(account), OrderFilters(), 2, None)
    second = order_page(OneAccount(account), OrderFilters(), 2, first.next_cursor)
    third = order_page(OneAccount(account), OrderFilters(), 2, second.next_cursor)

    assert {one.order_id for page in (first, second, third) for one in page.orders} == made
    assert third.next_cursor is None


def test_filters_narrow_the_list(broker: SimulatedBroker) -> None:
    account, start = an_account(), utcnow()

    def made(minutes: int, **changes: object) -> str:
        return an_order(start + timedelta(minutes=minutes), account, **changes)

    buy, sell, bse = made(0), made(1, side=Side.SELL), made(2, instrument="BSE:INFY")
    cancel_order(OneAccount(account), buy, utcnow(), account)

    def minute(number: int) -> datetime:
        return start + timedelta(minutes=number)

    assert listed(account, side=Side.SELL) == [sell]
    assert listed(account, instrument="BSE:INFY") == [bse]
    assert listed(account, status=[OrderStatus.CANCELLED]) == [buy]
    assert listed(account, created_from=minute(1)) == [bse, sell]
    assert listed(account, created_to=minute(1)) == [buy]
    assert listed(account, created_from=minute(1), created_to=minute(2), side=Side.SELL) == [sell]
    assert listed(account, status=[OrderStatus.DONE]) == []


@pytest.mark.parametrize("cursor", ["", "AAAA", "b3JkX3g", "%00", "ünïcode", "=", "b3JkXwA", "x" * 5000])
def test_a_cursor_of_somebody_elses_making_is_refused(broker: SimulatedBroker, cursor: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        order_page(OneAccount(an_account()), OrderFilters(), 10, cursor)

    assert refusal.value.details == {"field": "cursor"}


def test_a_page_tells_the_same_as_the_order_itself(broker: SimulatedBroker) -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    execute_slice(slices_of(order_id)[0].id)

    (on_the_page,) = order_page(OneAccount(account), OrderFilters(), 10, None).orders

    assert on_the_page == order_report(OneAccount(account), order_id)
