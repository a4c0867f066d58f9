"""A refusal spends what is at fault: accounts and orders are held and go on, with the real adapter at an exchange."""

from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import func, select

from api_contract.alarms import AlarmStatus
from api_contract.vocabulary import HoldReason, OrderResult, OrderStatus, SliceStatus
from pulse_app.health import check_ready
from pulse_core import brokers, db, queue
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.store import states
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.metrics.totals import read as read_totals
from pulse_core.owner import OneAccount
from pulse_core.trading import inbox
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.queries import order_report
from pulse_core.trading.order.recheck import recheck_holds, recheck_neglected, release_by_operator
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import operations, track
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_core.trading.slice.refused import CLOSED_FOR
from pulse_core.trading.store import alarms, claims
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.tables import Placement
from pulse_core.trading.vocabulary import PlacementOutcome
from pulse_ops import verify
from pulse_ops.doctor import orders as doctor
from pulse_ops.doctor.findings import Finding, Trouble
from pulse_ops.verify import broker_records, database
from pulse_ops.verify.facts import Facts
from pulse_tasks import watch
from tests.support.books import forget_books, read_again_at_once
from tests.support.exchange import RunningExchange, start_exchange
from tests.support.factories import a_slice, a_split_order, order, slices_of

SECOND = timedelta(seconds=1)
TOKEN_DEAD = {"status": 403, "error_type": "TokenException", "message": "Incorrect `api_key` or `access_token`."}
NO_ADDRESS = {"status": 403, "error_type": "PermissionException", "message": "No IPs configured for this app."}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("exchange")) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> RunningExchange:
    """The exchange in fair weather, and this process connected to it by the real adapter."""
    running.set_faults()
    adapter = running.broker()
    monkeypatch.setattr(brokers, "connect", lambda _account: adapter)
    monkeypatch.setattr(brokers, "reachable", lambda: [adapter])
    forget_books(monkeypatch)
    read_again_at_once(monkeypatch)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    assert sending_hold.may_send(adapter)
    # Every process that reaches an account has read which there are.
    assert directory.account_named("paper")
    return running


class Trading:
    """An order of five slices, a quarter of a minute apart, and a worker whose clock the test sets."""

    def __init__(self, exchange: RunningExchange) -> None:
        self.exchange = exchange
        self.start = utcnow() + SECOND
        self.order_id = a_split_order(self.start, duration_minutes=1)
        self.slices = [one.id for one in slices_of(self.order_id)]

    def at(self, seconds: float) -> datetime:
        return self.start + SECOND * seconds

    def work(self, seconds: float) -> None:
        """All that is due then is sent, as the watch of a worker would; what trades is booked."""
        now = self.at(seconds)
        due = [one.id for one in slices_of(self.order_id) if one.status is SliceStatus.SCHEDULED and one.due_at <= now]
        if due:
            execute_slices(due, lambda: now).check()
        with suppress(BookUnavailable):
            track.track_slices(now)

    def recheck(self, seconds: float) -> None:
        """The sweep, when the next probe is due."""
        with db.transaction() as session:
            states.probe_soon(session, "paper")
        recheck_holds(self.at(seconds))

    @property
    def statuses(self) -> list[SliceStatus]:
        return [one.status for one in slices_of(self.order_id)]

    def due(self) -> list[float]:
        """When each slice is due, in seconds from the start."""
        return [(one.due_at - self.start).total_seconds() for one in slices_of(self.order_id)]

    def placements(self, outcome: PlacementOutcome) -> int:
        with db.transaction() as session:
            rows = select(func.count()).select_from(Placement).where(Placement.outcome == outcome)
            return session.scalar(rows) or 0

    def held(self) -> HoldReason | None:
        found = order_report(OneAccount(order(self.order_id).account_id), self.order_id).held
        return found.reason if found else None

    def told(self) -> list[EventKind]:
        with db.transaction() as session:
            kinds = (EventKind.HELD, EventKind.RELEASED)
            rows = select(SliceEvent.kind).where(SliceEvent.order_id == self.order_id, SliceEvent.kind.in_(kinds))
            return list(session.scalars(rows.order_by(SliceEvent.id)))

    def resume(self, seconds: float) -> None:
        resume_order(OneAccount(order(self.order_id).account_id), self.order_id, "owner", self.at(seconds))


def alarms_of(code: AlarmCode) -> list[Alarm]:
    with db.transaction() as session:
        return list(alarms.page(session, AlarmFilters(code=code), 10, None))


def state() -> BrokerAccountState:
    with db.transaction() as session:
        held = states.held(session)
    return held[0].state if held else BrokerAccountState.READY


def examined() -> list[Finding]:
    with closing(psycopg2.connect(database_url())) as connection, connection.cursor() as cursor:
        return [*doctor.accounts_are_ready(cursor), *doctor.go_on(cursor)]


def database_url() -> str:
    return settings().database_url.get_secret_value()


def violations(exchange: RunningExchange) -> list[Any]:
    books = broker_records.from_ledger(exchange.ledger_path)
    known = database.read(database_url(), "paper")
    tags = {one.client_order_id for one in known.placements}
    ours = type(books)(
        [row for row in books.orders if row.tag in tags],
        [row for row in books.trades if row.order_id in {one.order_id for one in books.orders if one.tag in tags}],
        [row for row in books.arrivals if row.tag in tags],
    )
    found = verify.broken_promises(Facts(known, ours, is_final=False, grace=timedelta(seconds=60)))
    # The test's clock is ahead of the exchange's.
    return [one for one in found if one.promise != "never-early"]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [(TOKEN_DEAD, BrokerAccountState.AWAITING_TOKEN), (NO_ADDRESS, BrokerAccountState.BLOCKED)],
    ids=["token dead", "address not registered"],
)
def test_an_account_that_is_refused_in_mid_order_spends_nothing(
    exchange: RunningExchange, refusal: dict[str, Any], expected: BrokerAccountState
) -> None:
    trading = Trading(exchange)
    trading.work(0)
    exchange.set_faults({"fault": "refuse_call", **refusal})

    for seconds in (15, 16, 20, 30, 35):
        trading.work(seconds)
        trading.recheck(seconds + 0.5)
        dispatch_due_slices(trading.at(seconds))

    assert (state(), trading.held()) == (expected, HoldReason(expected.value))
    assert trading.placements(PlacementOutcome.REFUSED) == 1
    assert check_ready()["degraded"][-1:] == [f"paper: {expected}"]
    assert [one.trouble for one in examined() if not one.is_ok] == [Trouble.ACCOUNT_HELD]
    standing = read_totals().standing
    assert standing is not None
    assert (standing.accounts[expected], standing.ages["overdue"]) == (1, 0)

    exchange.set_faults()
    trading.recheck(40)
    assert state() is BrokerAccountState.READY
    assert trading.due()[1:] == pytest.approx([40, 50, 45, 60], abs=0.1)
    for seconds in range(40, 62):
        trading.work(seconds)

    assert order(trading.order_id).result is OrderResult.FILLED
    assert trading.placements(PlacementOutcome.REFUSED) == 1
    assert [one.failures for one in slices_of(trading.order_id)] == [0] * 5
    assert trading.told() == [EventKind.HELD, EventKind.RELEASED]
    [alarm] = alarms_of(AlarmCode.ACCOUNT_HELD)
    assert (alarm.occurrences, alarm.subject) == (1, "paper")
    assert ("does not know the address" in alarm.detail["reason"]) is (expected is BrokerAccountState.BLOCKED)
    inbox.resolve_alarms(utcnow())
    assert alarms_of(AlarmCode.ACCOUNT_HELD)[0].status is AlarmStatus.RESOLVED
    assert violations(exchange) == []


def test_a_block_that_reading_never_meets_is_ended_by_an_operator(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse", **NO_ADDRESS, "count": 1})

    trading.work(0)
    trading.recheck(1)

    assert state() is BrokerAccountState.BLOCKED
    assert release_by_operator("paper", "root (command line)")
    assert not release_by_operator("paper", "root (command line)")
    assert state() is BrokerAccountState.READY


def test_a_reading_that_is_refused_holds_the_account_before_anything_is_sent(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "partial_fill"})
    trading.work(0)
    exchange.set_faults({"fault": "refuse_call", **TOKEN_DEAD})

    trading.work(1)
    trading.work(15)

    assert (state(), trading.placements(PlacementOutcome.REFUSED)) == (BrokerAccountState.AWAITING_TOKEN, 0)
    cancel_order(OneAccount(order(trading.order_id).account_id), trading.order_id, trading.at(16), "owner")
    assert cancel_slices(trading.at(17)) == 0
    assert trading.statuses[1:] == [SliceStatus.CANCELLED] * 4


def test_a_cancellation_that_is_refused_with_the_account_is_not_counted(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "partial_fill"})
    trading.work(0)
    cancel_order(OneAccount(order(trading.order_id).account_id), trading.order_id, trading.at(1), "owner")
    exchange.set_faults({"fault": "refuse_call", **TOKEN_DEAD})

    assert cancel_slices(trading.at(2)) == 1

    assert state() is BrokerAccountState.AWAITING_TOKEN
    working = a_slice(trading.slices[0])
    assert (working.cancel_asks, working.cancel_asked_at) == (0, None)
    exchange.set_faults()
    trading.recheck(3)
    assert cancel_slices(trading.at(3)) == 1
    track.track_slices(trading.at(4))
    assert order(trading.order_id).status is OrderStatus.CANCELLED


def test_a_claim_under_way_is_not_sent_into_a_hold(exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    trading = Trading(exchange)
    look = claims.last_look

    def held_meanwhile(connection: Any, claimed: Any) -> Any:
        with db.transaction() as session:
            states.hold(session, "paper", BrokerAccountState.BLOCKED, "blocked", trading.at(0), is_read=False)
        return look(connection, claimed)

    monkeypatch.setattr(claims, "last_look", held_meanwhile)
    made = execute_slice(trading.slices[0], lambda: trading.at(0))

    assert made is not None
    assert (made.status, made.outcome.code) == (SliceStatus.SCHEDULED, "HELD")
    assert (trading.placements(PlacementOutcome.NOT_SENT), a_slice(trading.slices[0]).failures) == (1, 0)


def test_a_refusal_of_before_the_release_holds_nothing_again(exchange: RunningExchange) -> None:
    before = utcnow()
    with db.transaction() as session:
        assert states.hold(session, "paper", BrokerAccountState.BLOCKED, "blocked", before, is_read=True)
        assert not states.hold(session, "paper", BrokerAccountState.BLOCKED, "blocked", utcnow(), is_read=True)
    with db.transaction() as session:
        [seen] = states.held(session)
        assert states.release(session, seen)
        assert not states.release(session, seen)

    with db.transaction() as session:
        assert not states.hold(session, "paper", BrokerAccountState.BLOCKED, "blocked", before, is_read=True)


@pytest.mark.parametrize(
    ("error_type", "reason"), [("MarginException", HoldReason.FUNDS), ("HoldingException", HoldReason.HOLDINGS)]
)
def test_an_order_without_funds_or_shares_is_refused_once(
    exchange: RunningExchange, error_type: str, reason: HoldReason
) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse_in_book", "error_type": error_type, "message": "Not enough of it."})

    for seconds in (0, 1, 15, 30):
        trading.work(seconds)
        recheck_holds(trading.at(seconds))

    assert (trading.held(), trading.placements(PlacementOutcome.REFUSED)) == (reason, 1)
    assert trading.statuses == [SliceStatus.SCHEDULED] * 5
    [alarm] = alarms_of(AlarmCode.ORDER_HELD)
    assert (alarm.order_id, alarm.detail["message"]) == (trading.order_id, "Not enough of it.")
    exchange.set_faults()
    trading.resume(35)
    assert trading.due() == pytest.approx([35, 35 + 25 / 3, 35 + 50 / 3, 45, 60], abs=0.1)
    for seconds in range(35, 62):
        trading.work(seconds)
    assert order(trading.order_id).result is OrderResult.FILLED
    assert (trading.placements(PlacementOutcome.REFUSED), alarms_of(AlarmCode.TURNED_UP)) == (1, [])
    assert violations(exchange) == []


def test_an_order_whose_first_slice_is_refused_is_not_sent_into_the_same_wall(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse", "error_type": "InputException", "message": "Invalid `tradingsymbol`."})

    for seconds in (0, 15, 30):
        trading.work(seconds)

    assert (trading.held(), trading.placements(PlacementOutcome.REFUSED)) == (HoldReason.INVALID, 1)
    assert trading.statuses == [SliceStatus.REJECTED, *[SliceStatus.SCHEDULED] * 4]
    exchange.set_faults()
    operations.retry_slice(trading.slices[0], "operator", trading.at(31))
    assert trading.held() is None
    for seconds in range(31, 62):
        trading.work(seconds)
    assert order(trading.order_id).result is OrderResult.FILLED
    inbox.resolve_alarms(utcnow())
    assert [one.status for one in alarms_of(AlarmCode.ORDER_HELD)] == [AlarmStatus.RESOLVED]


def test_an_order_of_which_something_was_taken_goes_on_after_a_refusal(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    trading.work(0)
    exchange.set_faults({"fault": "refuse", "error_type": "InputException", "count": 1})

    for seconds in range(15, 62):
        trading.work(seconds)

    assert trading.statuses == [
        SliceStatus.FILLED, SliceStatus.REJECTED, *[SliceStatus.FILLED] * 3
    ]  # fmt: skip


def test_a_price_is_tried_each_interval_and_alarmed_of_after_three(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    rule = {"fault": "refuse", "error_type": "InputException", "message": "It is beyond the circuit limit.", "count": 3}

    exchange.set_faults(rule)
    for refusals in (1, 2, 3):
        execute_slice(trading.slices[0], lambda: a_slice(trading.slices[0]).due_at)
        assert trading.due()[0] == pytest.approx(15 * refusals, abs=0.5)
        assert len(alarms_of(AlarmCode.PRICE_REFUSED)) == (refusals == 3)

    assert (trading.held(), a_slice(trading.slices[0]).failures) == (None, 0)
    for seconds in range(45, 62):
        trading.work(seconds)
    assert order(trading.order_id).result is OrderResult.FILLED
    inbox.resolve_alarms(utcnow())
    assert [one.status for one in alarms_of(AlarmCode.PRICE_REFUSED)] == [AlarmStatus.RESOLVED]
    exchange.set_faults()


def test_a_price_that_is_refused_at_the_end_of_the_window_is_the_end_of_the_slice(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse", "error_type": "InputException", "message": "Beyond the circuit limit."})

    trading.work(50)

    assert trading.statuses[0] is SliceStatus.REJECTED
    assert trading.held() is None


def test_an_order_waits_while_the_broker_says_that_the_market_is_closed(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse", "error_type": "OrderException", "message": "Markets are closed right now."})
    trading.work(0)

    trading.work(15)
    recheck_holds(trading.at(30))

    assert (trading.held(), trading.placements(PlacementOutcome.REFUSED)) == (HoldReason.SESSION, 1)
    assert alarms_of(AlarmCode.ORDER_HELD) == []
    exchange.set_faults()
    recheck_holds(trading.at(1) + CLOSED_FOR)
    assert trading.held() is None
    assert trading.told() == [EventKind.HELD, EventKind.RELEASED]


def test_what_is_held_until_its_window_is_over_is_skipped_with_the_reason(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse", "error_type": "MarginException"})
    trading.work(0)

    recheck_holds(trading.at(60 + settings().late_grace + 1))

    found = slices_of(trading.order_id)
    assert [(one.status, one.error_code) for one in found] == [(SliceStatus.SKIPPED, "HELD")] * 5
    ended = order(trading.order_id)
    assert (ended.status, ended.hold, ended.held_since) == (OrderStatus.DONE, None, None)


def test_an_order_that_is_held_can_be_paused_resumed_and_cancelled(exchange: RunningExchange) -> None:
    trading = Trading(exchange)
    owner = OneAccount(order(trading.order_id).account_id)
    exchange.set_faults({"fault": "refuse", "error_type": "MarginException"})
    trading.work(0)

    pause_order(owner, trading.order_id, "owner", trading.at(1))
    assert (order(trading.order_id).status, trading.held()) == (OrderStatus.PAUSED, HoldReason.FUNDS)
    trading.resume(2)
    assert (order(trading.order_id).status, trading.held()) == (OrderStatus.IN_PROGRESS, None)
    trading.work(2)
    assert trading.held() is HoldReason.FUNDS

    cancelled = cancel_order(owner, trading.order_id, trading.at(3), "owner")
    assert (cancelled.status, cancelled.held) == (OrderStatus.CANCELLED, None)


@pytest.mark.parametrize(
    ("said", "reason", "first"),
    [
        ("RMS: Margin Exceeds, Cash not available", HoldReason.FUNDS, SliceStatus.SCHEDULED),
        ("Insufficient holdings to sell", HoldReason.HOLDINGS, SliceStatus.SCHEDULED),
        ("Something about the order", HoldReason.INVALID, SliceStatus.REJECTED),
    ],
)
def test_what_the_book_shows_as_refused_after_it_was_taken_is_held_alike(
    exchange: RunningExchange, said: str, reason: HoldReason, first: SliceStatus
) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "reject", "message": said})

    for seconds in (0, 1, 15):
        trading.work(seconds)

    assert (trading.held(), trading.statuses) == (reason, [first, *[SliceStatus.SCHEDULED] * 4])
    assert trading.placements(PlacementOutcome.ACKNOWLEDGED) == 1
    exchange.set_faults()
    trading.resume(16)
    for seconds in range(16, 62):
        trading.work(seconds)
    filled = 5 if first is SliceStatus.SCHEDULED else 4
    assert trading.statuses.count(SliceStatus.FILLED) == filled
    assert violations(exchange) == []


def test_where_no_sweep_runs_a_worker_for_slices_looks_itself(
    exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    trading = Trading(exchange)
    exchange.set_faults({"fault": "refuse_call", **TOKEN_DEAD, "count": 1})
    trading.work(0)
    assert state() is BrokerAccountState.AWAITING_TOKEN

    recheck_neglected(trading.at(2))
    assert state() is BrokerAccountState.AWAITING_TOKEN
    late = trading.at(3 + settings().overdue_after)
    with db.transaction() as session:
        states.probe_soon(session, "paper")
    monkeypatch.setattr(watch, "utcnow", lambda: late)
    hands = watch.Hands()
    watch.execute_overdue(hands)
    hands.wait()

    assert state() is BrokerAccountState.READY
