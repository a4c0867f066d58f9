"""Orders keep the hours of their market: at the door, in their schedule, and whoever sends their slices."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from api_contract.errors import (
    BeyondCalendar,
    DuplicateOrderUniqueKey,
    InvalidRequest,
    InvalidState,
    MarketClosed,
    NotFound,
)
from api_contract.vocabulary import CatchUp, OrderResult, OrderStatus, Product, ReplanCause, SessionRule, SliceStatus
from pulse_core import config, db, queue
from pulse_core.brokers.port import Refused
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.markets import files, hours, overrides
from pulse_core.markets.calendar import Calendar
from pulse_core.markets.hours import LAST_PLANNED, Hours
from pulse_core.markets.overrides import Span, Statement
from pulse_core.markets.queries import market_report
from pulse_core.owner import OneAccount
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.replan_orders import replan_crowded
from pulse_core.trading.sessions import LOOKED_AT_AGAIN
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_core.trading.slice.put_off import put_off_closed
from pulse_core.trading.store import alarms
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.tables import OrderSlice, Placement
from pulse_core.trading.turn_tables import BrokerTurn
from pulse_ops.cli import main
from pulse_tasks import watch
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_new_order, a_slice, a_split_order, an_account, order, slices_of
from tests.support.limits import set_limits
from tests.support.watching import look

INDIA = files.years()["NSE"][2026].time_zone

FRIDAY, MONDAY, MUHURAT = date(2026, 11, 27), date(2026, 11, 30), date(2026, 11, 8)
SECOND = timedelta(seconds=1)
CLOSED = Statement()


def at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIA).astimezone(UTC)


def span(opens: str, closes: str) -> Span:
    return Span(time.fromisoformat(opens), time.fromisoformat(closes))


@pytest.fixture(autouse=True)
def market(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The paper exchange keeps the hours of the market, and no message reaches anybody."""
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    monkeypatch.setattr(watch, "_charge", watch._Charge())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_SESSION", "market")
        patch.setenv("PULSE_EXCHANGES", "NSE,BSE,NFO,MCX")
        config.settings.cache_clear()
        hours.forget()
        yield
    config.settings.cache_clear()
    hours.forget()


@pytest.fixture
def always_closed(monkeypatch: pytest.MonkeyPatch) -> Hours:
    """A calendar that does not know today, whenever that is."""
    closed = Hours({"NSE": Calendar("NSE", {1: files.years()["NSE"][2026]})})
    monkeypatch.setattr(hours, "current", lambda: closed)
    return closed


def test_an_order_that_comes_in_the_evening_is_refused_with_the_next_session() -> None:
    with pytest.raises(MarketClosed) as refused:
        submit_order(an_account(), a_new_order(), at(FRIDAY, "22:55"))

    assert refused.value.details == {
        "exchange": "NSE",
        "day": "2026-11-27",
        "day_name": None,
        "cut_off": None,
        "next_session": {"start": "2026-11-30T03:45:00.000000Z", "end": "2026-11-30T09:45:00.000000Z"},
    }


def test_an_order_on_a_holiday_is_refused_with_its_name() -> None:
    with pytest.raises(MarketClosed) as refused:
        submit_order(an_account(), a_new_order(), at(date(2026, 12, 25), "10:00"))

    assert refused.value.details["day_name"] == "Christmas"


def test_an_intraday_order_past_its_cut_off_is_refused_with_it() -> None:
    with pytest.raises(MarketClosed) as refused:
        submit_order(an_account(), a_new_order(product=Product.MIS, duration_minutes=1), at(FRIDAY, "15:15"))

    assert refused.value.details["cut_off"] == "2026-11-27T09:45:00.000000Z"


def test_a_window_beyond_the_calendar_is_refused_by_name() -> None:
    late = a_new_order(start_at=at(date(2027, 1, 4), "10:00"))

    with pytest.raises(BeyondCalendar) as refused:
        submit_order(an_account(), late, at(date(2026, 12, 30), "10:00"))

    assert refused.value.details == {"exchange": "NSE", "day": "2027-01-04", "valid_until": "2026-12-31"}


def test_a_repeat_finds_its_order_when_the_market_has_closed_meanwhile() -> None:
    account, new_order = an_account(), a_new_order()
    first = submit_order(account, new_order, at(FRIDAY, "10:00"))

    again = submit_order(account, new_order, at(FRIDAY, "22:55"))

    assert (again.order_id, again.is_new) == (first.order_id, False)
    with pytest.raises(DuplicateOrderUniqueKey):
        submit_order(account, replace(new_order, num_splits=4), at(FRIDAY, "23:00"))


@pytest.mark.parametrize("terms", [{"session": SessionRule.AT_OPEN}, {"session": SessionRule.WAIT}, {}])
def test_what_is_asked_until_the_close_is_one_order_whenever_it_is_repeated(terms: dict[str, SessionRule]) -> None:
    account = an_account()
    new_order = a_new_order(duration_minutes=None, until_close=True, start_at=at(MONDAY, "09:30"), **terms)
    first = submit_order(account, new_order, at(FRIDAY, "10:00"))

    again = submit_order(account, new_order, at(FRIDAY, "10:05"))

    accepted = order(first.order_id)
    assert (again.order_id, again.is_new) == (first.order_id, False)
    assert accepted.end_at == at(accepted.start_at.astimezone(INDIA).date(), "15:15")
    assert accepted.duration_minutes == (accepted.end_at - accepted.start_at) // timedelta(minutes=1)


def test_an_order_that_waits_begins_with_the_session_and_remembers_what_was_asked() -> None:
    account, new_order = an_account(), a_new_order(session=SessionRule.WAIT, start_at=at(FRIDAY, "22:55"))
    now = at(FRIDAY, "10:00")
    accepted = order(submit_order(account, new_order, now).order_id)

    assert (accepted.start_at, accepted.asked_start_at) == (at(MONDAY, "09:15"), new_order.start_at)
    with pytest.raises(DuplicateOrderUniqueKey, match="start_at"):
        submit_order(account, replace(new_order, start_at=at(FRIDAY, "22:56")), now)


def test_a_market_without_a_calendar_takes_orders_as_before_but_none_until_its_close() -> None:
    evening, gold = at(FRIDAY, "22:55"), "MCX:GOLD"

    accepted = order(submit_order(an_account(), a_new_order(instrument=gold), evening).order_id)

    assert accepted.start_at == evening
    with pytest.raises(InvalidRequest, match="until_close") as refusal:
        submit_order(an_account(), a_new_order(instrument=gold, duration_minutes=None, until_close=True), evening)
    assert refusal.value.code == "INVALID_REQUEST", "INVALID_SPLIT_CONFIG promises a least and a most"


@pytest.mark.parametrize("stated", [{"duration_minutes": None}, {"until_close": True}])
def test_a_window_has_minutes_or_ends_with_the_close(stated: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="one of the two"):
        submit_order(an_account(), a_new_order(**stated), at(FRIDAY, "10:00"))


def test_derivatives_trade_longer() -> None:
    later = at(FRIDAY, "15:30")

    assert submit_order(an_account(), a_new_order(instrument="NFO:NIFTY", duration_minutes=10), later).is_new
    with pytest.raises(MarketClosed):
        submit_order(an_account(), a_new_order(duration_minutes=10), later)


def test_the_slices_of_an_order_that_waits_are_spread_over_the_time_that_its_market_is_open() -> None:
    order_id = a_split_order(at(FRIDAY, "15:00"), num_splits=10, duration_minutes=30, session=SessionRule.WAIT)

    # 15 minutes on Friday, five in the auction, ten on Monday.
    planned = [one.scheduled_at for one in slices_of(order_id)]
    ends = at(MONDAY, "09:25")
    assert (planned[0], planned[-1], order(order_id).end_at) == (at(FRIDAY, "15:00"), ends, ends)
    stretches = [
        (at(FRIDAY, "15:00"), at(FRIDAY, "15:15") - LAST_PLANNED),
        (at(FRIDAY, "15:20"), at(FRIDAY, "15:25") - LAST_PLANNED),
        (at(MONDAY, "09:15"), ends),
    ]
    assert [sum(start <= one <= end for one in planned) for start, end in stretches] == [5, 1, 4]


def test_the_last_slice_of_a_window_that_ends_with_the_market_gets_there_before() -> None:
    order_id = a_split_order(at(FRIDAY, "14:15"))

    assert slices_of(order_id)[-1].scheduled_at == at(FRIDAY, "15:15") - LAST_PLANNED


def test_an_order_whose_session_is_gone_before_it_is_split_is_skipped() -> None:
    order_id = submit_order(an_account(), a_new_order(), at(FRIDAY, "10:00")).order_id
    overrides.override_day("NSE", FRIDAY, CLOSED, "mourning", "ops", utcnow())

    split_orders([order_id], at(FRIDAY, "10:00"))

    assert order(order_id).status is OrderStatus.SKIPPED
    assert "takes it at no time" in (order(order_id).skip_reason or "")


def test_a_slice_that_is_due_out_of_session_is_not_sent_and_spends_nothing(broker: SimulatedBroker) -> None:
    now = at(FRIDAY, "15:00")
    order_id = a_split_order(now, session=SessionRule.WAIT, num_splits=2)
    first, closed = slices_of(order_id)[0], at(FRIDAY, "15:15")

    # The last second before the close belongs to what is on its way.
    for clock in (closed - SECOND, closed, at(FRIDAY, "15:19:59")):
        execute_slice(first.id, lambda clock=clock: clock)

    waiting = a_slice(first.id)
    assert broker.placements == []
    assert (waiting.status, waiting.attempts, placements_of(first.id)) == (SliceStatus.SCHEDULED, 0, 0)
    assert waiting.due_at == at(FRIDAY, "15:20")

    execute_slice(first.id, lambda: at(FRIDAY, "15:20"))

    assert len(broker.placements) == 1


def test_what_has_waited_for_its_market_is_planned_anew_for_that_when_it_opens() -> None:
    stated = {"num_splits": 10, "duration_minutes": 30, "session": SessionRule.WAIT, "catch_up": CatchUp.SKIP}
    order_id, opened = a_split_order(at(FRIDAY, "15:00"), **stated), at(FRIDAY, "15:20")
    missed = [one for one in slices_of(order_id) if one.scheduled_at < opened]
    put_off_closed("paper", at(FRIDAY, "15:19:30"))
    assert {a_slice(one.id).due_at for one in missed} == {opened}
    with db.transaction() as session:
        # As if one had been planned for the opening.
        session.get_one(OrderSlice, slices_of(order_id)[len(missed)].id).due_at = opened

    replan_crowded("paper", opened)

    with db.transaction() as session:
        told = session.scalars(select(SliceEvent.detail).where(SliceEvent.kind == EventKind.REPLANNED)).all()
    assert [detail["cause"] for detail in told] == [ReplanCause.OPENED]
    given_up = {one.id for one in slices_of(order_id) if one.status is SliceStatus.SKIPPED}
    assert {one.id for one in missed} <= given_up
    assert slices_of(order_id)[len(missed)].status is SliceStatus.SCHEDULED


def test_what_an_auction_takes_works_until_it_is_matched(broker: SimulatedBroker) -> None:
    now = at(FRIDAY, "15:20")
    first = slices_of(a_split_order(now, duration_minutes=4))[0]

    execute_slice(first.id, lambda: now)

    assert a_slice(first.id).deadline_at == at(FRIDAY, "15:35")


def test_a_batch_sends_what_its_markets_take(broker: SimulatedBroker) -> None:
    start = at(FRIDAY, "15:00")
    closed = slices_of(a_split_order(start, session=SessionRule.WAIT))[0]
    open_ = slices_of(a_split_order(start, instrument="NFO:NIFTY", duration_minutes=30))[0]
    round_the_clock = slices_of(a_split_order(start, instrument="MCX:GOLD"))[0]
    together = [closed.id, open_.id, round_the_clock.id]

    execute_slices(together, lambda: at(FRIDAY, "15:16")).check()

    assert [a_slice(one).status for one in together] == [
        SliceStatus.SCHEDULED, SliceStatus.WORKING, SliceStatus.WORKING,
    ]  # fmt: skip
    assert {one.instrument for one in broker.placements} == {"NFO:NIFTY", "MCX:GOLD"}


WAYS: dict[str, Callable[[str], object]] = {
    "message": execute_slice,
    "watch": lambda _slice_id: look(watch),
    "sweep": lambda _slice_id: dispatch_due_slices(utcnow()),
}


@pytest.mark.parametrize("limit", [0, 10])
@pytest.mark.parametrize("way", WAYS)
def test_no_message_no_watch_and_no_sweep_gets_past_a_closed_market(
    broker: SimulatedBroker, always_closed: Hours, way: str, limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours, "current", lambda: Hours())
        first = slices_of(a_split_order(utcnow() - timedelta(seconds=30)))[0]
    with pytest.MonkeyPatch.context() as patch:
        set_limits(patch, limit)
        WAYS[way](first.id)

    waiting = a_slice(first.id)
    assert (broker.placements, waiting.status, waiting.attempts) == ([], SliceStatus.SCHEDULED, 0)
    assert utcnow() < waiting.due_at <= utcnow() + LOOKED_AT_AGAIN
    assert (waiting.turn_at, placements_of(first.id)) == (None, 0)
    if way == "sweep":
        assert turns_given() == 0


def test_a_slice_whose_window_is_over_before_its_market_opens_is_skipped_when_it_is(broker: SimulatedBroker) -> None:
    order_id = a_split_order(at(FRIDAY, "14:40"), instrument="NFO:NIFTY", num_splits=2)
    last = slices_of(order_id)[-1]
    clock = at(FRIDAY, "15:41")
    for _ in range(6):
        execute_slice(last.id, lambda clock=clock: clock)
        clock = a_slice(last.id).due_at

    assert a_slice(last.id).status is SliceStatus.SKIPPED
    assert a_slice(last.id).error_code == "WINDOW_CLOSED"
    assert clock <= order(order_id).end_at + timedelta(seconds=settings().late_grace) + SECOND


@pytest.mark.parametrize("is_swept", [False, True])
def test_past_a_cut_off_the_rest_is_skipped_with_one_alarm(broker: SimulatedBroker, is_swept: bool) -> None:
    order_id = a_split_order(at(FRIDAY, "14:15"), product=Product.MIS)
    slices, late = slices_of(order_id), at(FRIDAY, "15:15")
    execute_slice(slices[0].id, lambda: slices[0].due_at)

    if is_swept:
        dispatch_due_slices(late)
    else:
        execute_slices([one.id for one in slices[1:]], lambda: late).check()

    rest = slices_of(order_id)[1:]
    assert {(one.status, one.error_code) for one in rest} == {(SliceStatus.SKIPPED, "CUT_OFF_PASSED")}
    assert len(broker.placements) == 1
    with db.transaction() as session:
        [raised] = alarms.page(session, AlarmFilters(order_id=order_id), 10, None)
    assert (raised.code, raised.occurrences) == (AlarmCode.CUT_OFF_PASSED, 1)


def test_a_carried_order_knows_no_cut_off(broker: SimulatedBroker) -> None:
    order_id = a_split_order(at(FRIDAY, "14:15"), instrument="NFO:NIFTY", product=Product.NRML, max_slice_multiple=10)
    last = slices_of(order_id)[-1]

    execute_slice(last.id, lambda: at(FRIDAY, "15:35") - timedelta(minutes=15))

    assert a_slice(last.id).status is SliceStatus.WORKING


@pytest.mark.parametrize(
    ("product", "clock", "why"),
    [
        (Product.CNC, "15:16", "its market is closed until 2026-11-27 09:50:00 UTC"),
        (Product.MIS, "15:16", "its product is not taken after 2026-11-27 09:45:00 UTC"),
    ],
)
def test_an_operator_cannot_retry_a_slice_out_of_session(
    broker: SimulatedBroker, product: Product, clock: str, why: str
) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    start = at(FRIDAY, "15:00")
    first = slices_of(a_split_order(start, product=product, duration_minutes=15))[0]
    execute_slice(first.id, lambda: start)

    assert operations.why_not_retried(first.id, at(FRIDAY, clock)) == why
    with pytest.raises(InvalidState, match=why):
        operations.retry_slice(first.id, "ops", at(FRIDAY, clock))
    assert operations.why_not_retried(first.id, at(FRIDAY, "15:14")) is None


def test_what_a_pause_has_missed_on_an_evening_goes_out_the_next_morning() -> None:
    order_id = a_split_order(at(FRIDAY, "15:10"), num_splits=4, duration_minutes=40, session=SessionRule.WAIT)
    owner = OneAccount(order(order_id).account_id)
    pause_order(owner, order_id, "trader", at(FRIDAY, "15:10"))

    resume_order(owner, order_id, "trader", at(FRIDAY, "20:00"))

    due = [one.due_at for one in slices_of(order_id) if one.status is SliceStatus.SCHEDULED]
    assert due[0] == at(MONDAY, "09:15")
    assert due == sorted(due)
    assert due[-1] <= order(order_id).end_at


def test_an_override_closes_a_day_and_opens_it_again(broker: SimulatedBroker) -> None:
    now = at(FRIDAY, "10:00")
    first = slices_of(a_split_order(now))[0]
    overrides.override_day("NSE", FRIDAY, CLOSED, "mourning", "ops", now)

    execute_slice(first.id, lambda: now)

    assert (broker.placements, a_slice(first.id).due_at) == ([], now + LOOKED_AT_AGAIN)
    with pytest.raises(MarketClosed):
        submit_order(an_account(), a_new_order(), now)

    overrides.revoke_override("NSE", FRIDAY, "ops", now)
    execute_slice(first.id, lambda: now + LOOKED_AT_AGAIN)

    assert len(broker.placements) == 1
    [kept] = overrides.list_overrides("NSE")
    assert (kept.reason, kept.made_by, kept.revoked_by, kept.phases) == ("mourning", "ops", "ops", [])
    with pytest.raises(NotFound):
        overrides.revoke_override("NSE", FRIDAY, "ops", now)


def test_an_override_opens_an_hour_on_a_holiday_with_the_calendars_cut_offs_or_its_own() -> None:
    evening, now = Statement([span("18:00", "19:00")]), at(MUHURAT, "12:00")
    overrides.override_day("NSE", MUHURAT, evening, "Muhurat", "ops", now)
    at_open = a_new_order(session=SessionRule.AT_OPEN, duration_minutes=60)

    accepted = order(submit_order(an_account(), at_open, now).order_id)

    assert (accepted.start_at, accepted.end_at) == (at(MUHURAT, "18:00"), at(MUHURAT, "19:00"))
    intraday = a_new_order(product=Product.MIS, start_at=at(MUHURAT, "18:00"), duration_minutes=30)
    with pytest.raises(MarketClosed):
        submit_order(an_account(), intraday, now)
    with_cut_off = Statement(evening.sessions, cut_offs={Product.MIS: time(18, 45)})
    overrides.override_day("NSE", MUHURAT, with_cut_off, "Muhurat, with MIS", "ops", now)
    assert submit_order(an_account(), intraday, now).is_new
    assert [one.revoked_by for one in overrides.list_overrides()] == [None, "ops"]


def test_an_override_moves_a_phase_and_the_others_stay() -> None:
    shorter = Statement(moved={"continuous": span("10:00", "13:00")})
    overrides.override_day("NSE", FRIDAY, shorter, "circular 1", "ops", utcnow())

    report = market_report("NSE", "2026-11-27", at(FRIDAY, "12:00"))

    moved = next(one for one in report.phases if one.name == "continuous")
    assert (moved.opens_at, moved.closes_at) == (at(FRIDAY, "10:00"), at(FRIDAY, "13:00"))
    assert [one.name for one in report.phases][-1] == "post-close"
    assert (report.is_override, report.day_name, report.is_kept) == (True, "circular 1", True)
    assert report.cut_offs == {Product.MIS: at(FRIDAY, "15:15")}


@pytest.mark.parametrize(
    ("exchange", "day", "statement", "reason", "refusal"),
    [
        ("MCX", FRIDAY, CLOSED, "why", NotFound),
        ("NSE", date(2027, 1, 4), CLOSED, "why", BeyondCalendar),
        ("NSE", FRIDAY, CLOSED, " ", InvalidRequest),
        ("NSE", FRIDAY, CLOSED, "x" * 201, InvalidRequest),
        ("NSE", FRIDAY, Statement([span("15:00", "14:00")]), "why", InvalidRequest),
        ("NSE", FRIDAY, Statement([span("10:00", "12:00"), span("11:00", "13:00")]), "why", InvalidRequest),
        ("NSE", FRIDAY, Statement(moved={"lunch": span("12:00", "13:00")}), "why", InvalidRequest),
        ("NSE", FRIDAY, Statement(moved={"continuous": span("09:15", "15:18")}), "why", InvalidRequest),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    exchange: str, day: date, statement: Statement, reason: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        overrides.override_day(exchange, day, statement, reason, "ops", utcnow())
    assert overrides.list_overrides() == []


def test_the_paper_exchange_takes_orders_round_the_clock_unless_it_is_told_not_to(broker: SimulatedBroker) -> None:
    night = at(FRIDAY, "03:00")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_SESSION", "always")
        config.settings.cache_clear()
        first = slices_of(a_split_order(night))[0]

        execute_slice(first.id, lambda: night)

        assert len(broker.placements) == 1
        assert market_report("NSE", None, night).is_kept is False


def test_an_order_that_was_accepted_before_there_were_hours_keeps_them_too(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hours, "current", lambda: Hours())
        first = slices_of(a_split_order(at(FRIDAY, "22:55")))[0]

    execute_slice(first.id, lambda: at(FRIDAY, "22:55"))

    assert (broker.placements, a_slice(first.id).status) == ([], SliceStatus.SCHEDULED)


def markets(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["markets", *arguments])


def test_operators_show_and_override_days_from_a_terminal() -> None:
    session = ("--session", "18:00-19:00", "--cut-off", "MIS=18:45")
    stated = markets("override", "NSE", "2026-11-08", *session, "--reason", "c")
    shown = markets("show", "NSE", "--day", "2026-11-08")
    listed = json.loads(markets("overrides", "--json").stdout)

    assert (stated.exit_code, shown.exit_code) == (0, 0)
    assert "open, overridden" in shown.stdout
    assert "18:00" in shown.stdout
    assert [(one["day"], one["reason"], one["cut_offs"]) for one in listed] == [("2026-11-08", "c", {"MIS": "18:45"})]
    assert markets("override", "NSE", "2026-11-08", "--revoke").exit_code == 0
    assert "closed" in markets("show", "NSE", "--day", "2026-11-08").stdout


def test_what_cannot_be_stated_of_a_day_is_refused() -> None:
    day = ("override", "NSE", "2026-11-27")
    wrong_usage = [
        day,
        (*day, "--closed", "--revoke"),
        (*day, "--session", "9-15", "--reason", "x"),
        (*day, "--session", "09:15-25:00", "--reason", "x"),
        (*day, "--phase", "09:15-15:00", "--reason", "x"),
        (*day, "--closed", "--cut-off", "BO=10:00", "--reason", "x"),
    ]
    refused = [("show", "LSE"), ("show", "NSE", "--day", "2027-01-04"), (*day, "--closed"), (*day, "--revoke")]

    assert {markets(*arguments).exit_code for arguments in wrong_usage} == {2}
    assert {markets(*arguments).exit_code for arguments in refused} == {4}


def test_a_done_order_says_that_it_was_cut_off(broker: SimulatedBroker) -> None:
    order_id = a_split_order(at(FRIDAY, "15:00"), product=Product.MIS, duration_minutes=15)

    dispatch_due_slices(at(FRIDAY, "15:16"))

    assert (order(order_id).status, order(order_id).result) == (OrderStatus.DONE, OrderResult.UNFILLED)


def turns_given() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(BrokerTurn)) or 0


def placements_of(slice_id: str) -> int:
    with db.transaction() as session:
        found = select(func.count()).select_from(Placement).where(Placement.slice_id == slice_id)
        return session.scalar(found) or 0


def test_the_days_of_a_calendar_are_worked_out_once_until_somebody_overrides_one() -> None:
    before = hours.all_calendars()["NSE"]
    assert hours.all_calendars()["NSE"] is before
    assert before.day(FRIDAY) is before.day(FRIDAY)

    overrides.override_day("NSE", FRIDAY, Statement(), "a closure", "asha", utcnow())
    closed = hours.all_calendars()["NSE"]
    assert (len(before.day(FRIDAY).phases) > 0, len(closed.day(FRIDAY).phases)) == (True, 0)
    assert closed is hours.all_calendars()["NSE"]

    overrides.revoke_override("NSE", FRIDAY, "asha", utcnow())
    assert hours.all_calendars()["NSE"].day(FRIDAY) == before.day(FRIDAY)
