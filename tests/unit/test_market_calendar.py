"""The calendars of 2026, day by day, and the windows that fit into them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_contract.vocabulary import OrderType, Product, SessionRule
from pulse_core.markets import files
from pulse_core.markets.calendar import Calendar, NoCalendar, Stretch, Terms
from pulse_core.markets.hours import LAST_PLANNED, special_day
from pulse_core.markets.windows import DoesNotFit, Window, fit
from pulse_core.trading import schedule
from pulse_core.trading.trading_time import TradingTime

INDIA = files.years()["NSE"][2026].time_zone
NSE, NFO = (Calendar(name, files.years()[name]) for name in ("NSE", "NFO"))
NYSE = Calendar("NYSE", files.years()["NYSE"])
MARKET, LIMIT = (Terms(one, Product.CNC) for one in OrderType)
INTRADAY = Terms(OrderType.MARKET, Product.MIS)
DAYS = [date(2026, 1, 1) + timedelta(days=passed) for passed in range(365)]
HOLIDAYS = {
    date(2026, month, day)
    for month, day in (
        (1, 15), (1, 26), (3, 3), (3, 26), (3, 31), (4, 3), (4, 14), (5, 1), (5, 28), (6, 26), (9, 14), (10, 2),
        (10, 20), (11, 10), (11, 24), (12, 25),
    )
}  # fmt: skip
BUDGET, MUHURAT, AUCTIONS = date(2026, 2, 1), date(2026, 11, 8), date(2026, 8, 3)
A_FRIDAY = date(2026, 11, 27)


def at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIA).astimezone(UTC)


def spans(calendar: Calendar, day: date, terms: Terms) -> list[str]:
    local = ((one.start.astimezone(INDIA), one.end.astimezone(INDIA)) for one in calendar.session(day, terms))
    return [f"{start:%H:%M}-{end:%H:%M}" for start, end in local]


def hours_of(exchange: str, day: date) -> Mapping[Terms, list[str]]:
    is_open = day == BUDGET or (day.weekday() < 5 and day not in HOLIDAYS)
    if not is_open:
        return {MARKET: [], LIMIT: [], INTRADAY: []}
    if exchange == "NFO":
        ends = "15:40" if day >= AUCTIONS else "15:30"
        return {MARKET: [f"09:15-{ends}"], LIMIT: [f"09:15-{ends}"], INTRADAY: ["09:15-15:20"]}
    if day < AUCTIONS:
        return {MARKET: ["09:15-15:30"], LIMIT: ["09:15-15:30"], INTRADAY: ["09:15-15:15"]}
    return {
        MARKET: ["09:15-15:15", "15:20-15:25"],
        LIMIT: ["09:15-15:15", "15:20-15:28"],
        INTRADAY: ["09:15-15:15"],
    }


@pytest.mark.parametrize("exchange", ["NSE", "BSE", "NFO", "BFO"])
def test_every_day_of_the_year_has_its_hours(exchange: str) -> None:
    calendar, like = Calendar(exchange, files.years()[exchange]), {"BSE": "NSE", "BFO": "NFO"}.get(exchange, exchange)

    for day in DAYS:
        assert {terms: spans(calendar, day, terms) for terms in (MARKET, LIMIT, INTRADAY)} == hours_of(like, day), day


@pytest.mark.parametrize(
    ("day", "clock", "terms", "opens"),
    [
        (A_FRIDAY, "09:00", MARKET, (A_FRIDAY, "09:15")),
        (A_FRIDAY, "15:16", LIMIT, (A_FRIDAY, "15:20")),
        (A_FRIDAY, "15:26", MARKET, (date(2026, 11, 30), "09:15")),
        (A_FRIDAY, "15:26", LIMIT, (A_FRIDAY, "15:20")),
        (A_FRIDAY, "15:15", INTRADAY, (date(2026, 11, 30), "09:15")),
        (date(2026, 1, 31), "12:00", MARKET, (BUDGET, "09:15")),
        (date(2026, 11, 7), "12:00", MARKET, (date(2026, 11, 9), "09:15")),
        (date(2026, 7, 31), "15:29", MARKET, (date(2026, 7, 31), "09:15")),
    ],
)
def test_the_next_opening(day: date, clock: str, terms: Terms, opens: tuple[date, str]) -> None:
    assert NSE.next_opening(at(day, clock), terms) == at(*opens)


def test_an_override_holds_in_place_of_the_calendar() -> None:
    evening = special_day("Muhurat", [{"name": "m", "opens": "18:00", "closes": "19:00", "takes": ["MARKET"]}], {})
    closed = special_day("mourning", [], {})
    calendar = Calendar("NSE", NSE.years, {MUHURAT: evening, A_FRIDAY: closed})

    assert spans(calendar, MUHURAT, MARKET) == ["18:00-19:00"]
    assert (spans(calendar, MUHURAT, LIMIT), spans(calendar, A_FRIDAY, MARKET)) == ([], [])
    assert (calendar.day(MUHURAT).name, calendar.day(A_FRIDAY).is_override) == ("Muhurat", True)


def test_only_what_an_auction_takes_is_matched_later() -> None:
    assert NSE.matched_by(at(A_FRIDAY, "15:22")) == at(A_FRIDAY, "15:35")
    assert NSE.matched_by(at(A_FRIDAY, "15:10")) is None


def test_days_beyond_the_data_are_not_known() -> None:
    with pytest.raises(NoCalendar, match="NSE ends with 2026-12-31, and does not know 2027-01-01"):
        NSE.day(date(2027, 1, 1))
    with pytest.raises(NoCalendar):
        NSE.day(date(2025, 12, 31))
    assert NSE.next_opening(at(date(2026, 12, 31), "16:00"), MARKET) is None


def fitted(day: date, clock: str, rule: SessionRule, minutes: int | None, terms: Terms = MARKET) -> Window:
    return fit(NSE, terms, rule, at(day, clock), None if minutes is None else timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("clock", "rule", "minutes", "start", "end"),
    [
        ("10:00", SessionRule.REFUSE, 60, (A_FRIDAY, "10:00"), (A_FRIDAY, "11:00")),
        ("14:15", SessionRule.REFUSE, 60, (A_FRIDAY, "14:15"), (A_FRIDAY, "15:15")),
        ("10:00", SessionRule.REFUSE, None, (A_FRIDAY, "10:00"), (A_FRIDAY, "15:15")),
        ("15:21", SessionRule.REFUSE, None, (A_FRIDAY, "15:21"), (A_FRIDAY, "15:25")),
        ("08:00", SessionRule.WAIT, 60, (A_FRIDAY, "09:15"), (A_FRIDAY, "10:15")),
        ("15:00", SessionRule.WAIT, 30, (A_FRIDAY, "15:00"), (date(2026, 11, 30), "09:25")),
        ("15:00", SessionRule.WAIT, 15, (A_FRIDAY, "15:00"), (A_FRIDAY, "15:15")),
        ("22:55", SessionRule.WAIT, None, (date(2026, 11, 30), "09:15"), (date(2026, 11, 30), "15:15")),
        ("08:00", SessionRule.AT_OPEN, 60, (A_FRIDAY, "09:15"), (A_FRIDAY, "10:15")),
        ("09:15", SessionRule.AT_OPEN, 60, (A_FRIDAY, "09:15"), (A_FRIDAY, "10:15")),
        ("10:00", SessionRule.AT_OPEN, 60, (date(2026, 11, 30), "09:15"), (date(2026, 11, 30), "10:15")),
        ("22:55", SessionRule.AT_OPEN, None, (date(2026, 11, 30), "09:15"), (date(2026, 11, 30), "15:15")),
    ],
)
def test_the_window_that_an_order_gets(
    clock: str, rule: SessionRule, minutes: int | None, start: tuple[date, str], end: tuple[date, str]
) -> None:
    assert fitted(A_FRIDAY, clock, rule, minutes) == Window(at(*start), at(*end))


@pytest.mark.parametrize(
    ("day", "clock", "rule", "minutes", "terms", "next_session"),
    [
        (A_FRIDAY, "22:55", SessionRule.REFUSE, 60, MARKET, (date(2026, 11, 30), "09:15", "15:15")),
        (A_FRIDAY, "14:16", SessionRule.REFUSE, 60, MARKET, (date(2026, 11, 30), "09:15", "15:15")),
        (A_FRIDAY, "15:10", SessionRule.REFUSE, 6, LIMIT, (A_FRIDAY, "15:20", "15:28")),
        (A_FRIDAY, "15:15", SessionRule.REFUSE, 1, INTRADAY, (date(2026, 11, 30), "09:15", "15:15")),
        (A_FRIDAY, "15:15", SessionRule.REFUSE, 361, INTRADAY, (date(2026, 11, 30), "09:15", "15:15")),
        (date(2026, 11, 24), "10:00", SessionRule.REFUSE, 60, MARKET, (date(2026, 11, 25), "09:15", "15:15")),
        (A_FRIDAY, "10:00", SessionRule.AT_OPEN, 361, MARKET, (date(2026, 11, 30), "09:15", "15:15")),
        (A_FRIDAY, "15:00", SessionRule.WAIT, 16, INTRADAY, (date(2026, 11, 30), "09:15", "15:15")),
        (A_FRIDAY, "15:14:30", SessionRule.REFUSE, None, INTRADAY, (date(2026, 11, 30), "09:15", "15:15")),
    ],
)
def test_a_window_that_does_not_fit_names_the_next_session(
    day: date, clock: str, rule: SessionRule, minutes: int | None, terms: Terms, next_session: tuple[date, str, str]
) -> None:
    with pytest.raises(DoesNotFit) as refused:
        fitted(day, clock, rule, minutes, terms)

    following, starts, ends = next_session
    assert refused.value.next_session == Stretch(at(following, starts), at(following, ends))


def test_windows_beyond_the_data_are_refused_by_name() -> None:
    with pytest.raises(NoCalendar):
        fitted(date(2027, 1, 4), "10:00", SessionRule.REFUSE, 60)
    with pytest.raises(NoCalendar):
        fitted(date(2026, 12, 31), "15:00", SessionRule.WAIT, 60)


@given(
    day=st.sampled_from(DAYS[:360]),
    minute=st.integers(0, 1439),
    minutes=st.one_of(st.none(), st.integers(1, 1440)),
    rule=st.sampled_from(SessionRule),
    order_type=st.sampled_from(OrderType),
    product=st.sampled_from(Product),
    splits=st.integers(2, 20),
    seed=st.one_of(st.none(), st.integers(0, 2**63)),
)
def test_no_slice_is_planned_outside_a_phase_that_takes_it(
    day: date,
    minute: int,
    minutes: int | None,
    rule: SessionRule,
    order_type: OrderType,
    product: Product,
    splits: int,
    seed: int | None,
) -> None:
    terms, start = Terms(order_type, product), at(day, "00:00") + timedelta(minutes=minute)
    try:
        window = fit(NSE, terms, rule, start, None if minutes is None else timedelta(minutes=minutes))
    except (DoesNotFit, NoCalendar):
        return
    time_ = TradingTime([(one.start, one.end - LAST_PLANNED) for one in NSE.between(window.start, window.end, terms)])
    planned = schedule.plan(100, splits, window.start, time_.length, seed)
    times = [time_.at(one.scheduled_at - window.start) for one in planned]

    assert all(window.start <= one <= window.end for one in times)
    assert times == sorted(times)
    for one in times:
        [phase] = [phase for phase in NSE.day(one.astimezone(INDIA).date()).phases if phase.opens <= one < phase.closes]
        assert order_type in phase.takes
    if rule is not SessionRule.WAIT:
        assert len(NSE.between(window.start, window.end, terms)) == 1


@pytest.mark.parametrize(
    ("was", "says", "wrong"),
    [
        ('opens: "15:20"', 'opens: "15:19"', "closing auction does not follow"),
        ("year: 2026", "year: 2025", "schedules begin with the year"),
        ("2026-12-25", "2027-12-25", "lies in its year"),
        ("dated:", "date:", "a calendar states"),
    ],
)
def test_a_file_that_is_not_as_it_must_be_is_refused(was: str, says: str, wrong: str) -> None:
    text = next(one for one in files._texts() if "market: equity" in one)

    with pytest.raises(ValueError, match=wrong):
        files.read(text.replace(was, says))


def test_trading_time_runs_only_in_its_stretches_and_on_after_them() -> None:
    first, second = at(A_FRIDAY, "15:00"), at(A_FRIDAY, "15:20")
    time_ = TradingTime([(first, first + timedelta(minutes=15)), (second, second + timedelta(minutes=5))])

    for minutes, clock in ((0, "15:00"), (15, "15:15"), (16, "15:21"), (20, "15:25"), (25, "15:30")):
        assert time_.at(timedelta(minutes=minutes)) == at(A_FRIDAY, clock)
        assert time_.passed(at(A_FRIDAY, clock)) == timedelta(minutes=minutes)
    assert time_.passed(at(A_FRIDAY, "15:17")) == timedelta(minutes=15)
    assert time_.runs_from(at(A_FRIDAY, "15:17")) == second
    assert time_.runs_from(at(A_FRIDAY, "15:18")) == second


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        # Winter time, and summer time.
        (date(2026, 1, 2), ("2026-01-02T14:30", "2026-01-02T21:00")),
        (date(2026, 3, 9), ("2026-03-09T13:30", "2026-03-09T20:00")),
        (date(2026, 7, 2), ("2026-07-02T13:30", "2026-07-02T20:00")),
        (date(2026, 7, 3), None),
        (date(2026, 11, 26), None),
        (date(2026, 11, 27), ("2026-11-27T14:30", "2026-11-27T18:00")),
        (date(2026, 12, 24), ("2026-12-24T14:30", "2026-12-24T18:00")),
        (date(2026, 12, 26), None),
    ],
)
def test_new_york_keeps_its_own_clock_its_holidays_and_its_half_days(day: date, hours: tuple[str, str] | None) -> None:
    found = [(f"{one.start:%Y-%m-%dT%H:%M}", f"{one.end:%Y-%m-%dT%H:%M}") for one in NYSE.session(day, MARKET)]

    assert found == ([] if hours is None else [hours])


def test_the_days_of_a_market_are_its_own() -> None:
    late = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)

    assert (NYSE.date_of(late), NSE.date_of(late)) == (date(2026, 11, 23), date(2026, 11, 24))
    assert len([day for day in DAYS if NYSE.session(day, MARKET)]) == 251


def test_prices_are_in_the_currency_of_their_market() -> None:
    assert [files.currency_of(one) for one in ("NSE:SBIN", "NFO:X", "NYSE:BRK.B", "NASDAQ:AAPL", "MCX:GOLD")] == [
        "INR", "INR", "USD", "USD", None,
    ]  # fmt: skip
