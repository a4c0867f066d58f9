"""Accounts that keys alone reach: sealed, asked about, in use at once; and what their broker tells of its market."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner, Result

from api_contract.alarms import AlarmStatus
from api_contract.errors import InvalidRequest, InvalidState, NotListedSo, ServiceUnavailable
from api_contract.order_rules import NewOrder
from api_contract.vocabulary import LoadOutcome, SessionRule, Side, SliceStatus
from pulse_core import brokers, config, db, queue
from pulse_core.boottime import boottime
from pulse_core.broker_accounts import accounts, credentials, directory, login
from pulse_core.broker_accounts.store.states import NOTICED
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers.alpaca.limits import NEW_YORK
from pulse_core.brokers.port import AlreadyThere, BookUnavailable, Placement, Refused
from pulse_core.calendar_comparing import compare_calendars
from pulse_core.clock import utcnow
from pulse_core.instrument_loading import load_instruments
from pulse_core.instruments import current, queries
from pulse_core.instruments.store.instruments import Asked
from pulse_core.markets import hours, overrides
from pulse_core.markets.overrides import Span, Statement
from pulse_core.markets.store import broker_calendars
from pulse_core.trading.alarm_tables import Alarm
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.recheck import recheck_holds
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import alarms
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_core.trading.tables import OrderSlice
from pulse_ops.cli import main
from pulse_ops.doctor import calendars, identities
from pulse_ops.doctor.findings import Finding, Trouble
from tests.support.exchange import API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.factories import a_new_order, a_slice, an_account, slices_of
from tests.support.processes import wait_until

NAME, NUMBER = "us-one", "PA0PAPER0001"
SERVED = "NYSE,NASDAQ,ARCA,AMEX,BATS"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("keys"), wire="alpaca") as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange, clean_database: str) -> Iterator[RunningExchange]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALPACA_ROOT_URL", running.url)
        patch.setenv("PULSE_EXCHANGES", SERVED)
        patch.delenv("PULSE_PAPER_EXCHANGE_URL", raising=False)
        for name in ("wake", "send", "send_soon"):
            patch.setattr(queue, name, lambda *_args, **_named: None)
        forget()
        running.set_faults()
        running.move_clock(None)
        fine = {"status": "ACTIVE", "account_blocked": False, "trading_blocked": False, "days": {}}
        standing(running, api_key=API_KEY, api_secret=API_SECRET, **fine)
        accounts.add_account(NAME, "alpaca", "the test", utcnow(), is_live=False)
        yield running
    forget()


def forget() -> None:
    config.settings.cache_clear()
    credentials.forget()
    directory.forget()
    current.forget()


def standing(exchange: RunningExchange, **stated: Any) -> None:
    exchange.control("PUT", "standing", stated)


def take_keys(key: str = API_KEY, secret: str = API_SECRET, user: str | None = None) -> None:
    login.set_keys(NAME, key, secret, user, "asha", utcnow())


def report() -> login.LoginReport:
    [found] = login.login_reports(NAME)
    return found


def asked_doctor(check: Any) -> list[Finding]:
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        return list(check(cursor))


def know_us() -> list[Finding]:
    return asked_doctor(partial(identities.know_us, environment={}))


def of_code(code: AlarmCode) -> list[Alarm]:
    with db.transaction() as session:
        return list(alarms.page(session, AlarmFilters(code=code), 10, None))


def test_keys_are_sealed_once_the_broker_says_whose_they_are(exchange: RunningExchange) -> None:
    with pytest.raises(brokers.NotConnected):
        brokers.connect(NAME)
    assert (report().state, report().is_logged_in) == (BrokerAccountState.AWAITING_TOKEN, False)

    take_keys()

    found = report()
    assert (found.state, found.broker_user, found.is_logged_in) == (BrokerAccountState.READY, NUMBER, True)
    assert found.valid_until is None
    assert brokers.connect(NAME).order_book() == []
    assert login.check_login(NAME) == NUMBER
    assert know_us() == [Finding(f"identity of {NAME}", True, f"the broker knows us as {NUMBER}")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"secret": "another-secret"}, "the keys of us-one were not taken"),
        ({"user": "PA9SOMEBODY"}, "us-one is the account of PA9SOMEBODY, and PA0PAPER0001"),
    ],
)
def test_keys_that_do_not_work_or_are_of_somebody_else_change_nothing(
    exchange: RunningExchange, given: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidState, match=said):
        take_keys(**given)
    assert report().state is BrokerAccountState.AWAITING_TOKEN
    assert report().is_logged_in is False

    take_keys()
    with pytest.raises(InvalidState):
        take_keys(**given)
    assert (report().state, report().broker_user) == (BrokerAccountState.READY, NUMBER)


def test_keys_that_nobody_could_send_are_refused_before_anybody_is_asked(exchange: RunningExchange) -> None:
    with pytest.raises(InvalidRequest, match="printable ASCII"):
        take_keys(key="kéy")
    with pytest.raises(InvalidRequest, match="placeholders"):
        take_keys(key="paper")


def test_nobody_logs_in_where_there_is_no_page(exchange: RunningExchange) -> None:
    take_keys()
    with pytest.raises(InvalidState, match="has no login page: its keys are enough"):
        login.login_address(NAME)
    with pytest.raises(InvalidState, match="has no login page"):
        login.log_in(NAME, "token", "asha", utcnow(), user=NUMBER)


def test_new_keys_are_in_use_without_a_restart_and_the_ones_before_are_told_as_ended(exchange: RunningExchange) -> None:
    take_keys()
    first = brokers.connect(NAME)
    standing(exchange, api_key="another-key", api_secret="another-secret")

    with pytest.raises(BookUnavailable) as refused:
        first.order_book()
    note_refusal(NAME, refused.value, utcnow() + NOTICED, is_read=True)
    credentials.forget()
    assert report().state is BrokerAccountState.AWAITING_TOKEN
    with pytest.raises(InvalidState):
        login.check_login(NAME)

    take_keys("another-key", "another-secret")
    assert report().state is BrokerAccountState.READY
    assert brokers.connect(NAME).order_book() == []


def test_a_blocked_account_is_told_apart_from_keys_that_do_not_work(exchange: RunningExchange) -> None:
    take_keys()
    standing(exchange, trading_blocked=True)
    placement = Placement("B" * 20, "NYSE:KO", Side.BUY, 1)

    with pytest.raises(Refused) as refused:
        brokers.connect(NAME).place(placement, boottime() + 10)
    note_refusal(NAME, refused.value, utcnow() + NOTICED)
    # It shows its books all the same, which proves nothing here.
    recheck_holds(utcnow())
    assert report().state is BrokerAccountState.BLOCKED
    with pytest.raises(InvalidState, match="trading_blocked"):
        login.confirm(NAME, "asha", utcnow())
    assert report().state is BrokerAccountState.BLOCKED

    standing(exchange, trading_blocked=False)
    assert login.confirm(NAME, "asha", utcnow()).state is BrokerAccountState.READY
    brokers.connect(NAME).place(placement, boottime() + 10)
    with pytest.raises(AlreadyThere):
        brokers.connect(NAME).place(placement, boottime() + 10)


def test_the_doctor_says_who_may_not_trade(exchange: RunningExchange) -> None:
    take_keys()
    standing(exchange, account_blocked=True)
    [blocked] = know_us()
    standing(exchange, account_blocked=False, api_secret="rotated-secret")
    [ended] = know_us()

    assert (blocked.trouble, ended.trouble) == (Trouble.ACCOUNT_REFUSED, Trouble.BROKER_TOKEN_DEAD)
    assert "account_blocked" in blocked.verdict


def test_a_broker_that_is_away_is_neither(exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    take_keys()
    monkeypatch.setenv("ALPACA_ROOT_URL", "http://127.0.0.1:1")
    config.settings.cache_clear()
    with pytest.raises(ServiceUnavailable):
        login.confirm(NAME, "asha", utcnow())
    with pytest.raises(ServiceUnavailable):
        take_keys()
    [away] = know_us()

    assert (report().state, away.trouble) == (BrokerAccountState.READY, Trouble.BROKER_AWAY)


def cli(*arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(main, ["broker", *arguments], input=given)


def test_the_terminal_adds_an_account_takes_its_keys_and_tells_of_it(exchange: RunningExchange) -> None:
    added = cli("add", "us-two", "--broker", "alpaca", "--paper")
    sealed = cli("keys", "us-two", given=f"{API_KEY}\n{API_SECRET}\n")
    logged_in = cli("login", "us-two")
    tested = cli("test", "us-two")
    shown = cli("status", "us-two")

    said = [one.output for one in (added, sealed, logged_in, tested, shown)]
    assert [one.exit_code for one in (added, sealed, logged_in, tested, shown)] == [0] * 5, said
    assert "Everybody may trade with it" in said[0]
    assert "broker login" not in said[0]
    assert f"{NUMBER} trades with us-two" in said[1]
    assert "its keys work" in said[2]
    assert NUMBER in said[3]
    assert "READY" in said[4]
    assert API_SECRET not in "".join(said)


def loaded() -> queries.LoadReport:
    queries.ask_for_load("alpaca", "ops")
    load_instruments(utcnow())
    return next(one for one in queries.list_loads() if one.broker == "alpaca")


def test_its_assets_are_loaded_as_a_whole_and_orders_are_held_to_them(exchange: RunningExchange) -> None:
    take_keys()
    found = loaded()
    symbols = {one.instrument for one in queries.instrument_page("alpaca", Asked(), 200).instruments}

    assert (found.outcome, found.skipped) == (LoadOutcome.LOADED, 0)
    assert {"NYSE:BRK.B", "NYSE:BAC.PRB", "NASDAQ:AAPL", "ARCA:SPY", "AMEX:IMO", "BATS:CBOE"} <= symbols
    assert not {"NASDAQ:HALT", "NYSE:GONE", "OTC:PINK"} & symbols
    exchange.set_faults({"fault": "book_cut", "fraction": 0.5})
    assert loaded().outcome is LoadOutcome.REFUSED
    exchange.set_faults({"fault": "book_down"})
    assert loaded().outcome is LoadOutcome.FAILED
    assert {one.instrument for one in queries.instrument_page("alpaca", Asked(), 200).instruments} == symbols


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"instrument": "NASDAQ:HALT"}, "instrument"),
        ({"instrument": "NYSE:AAPL"}, "instrument"),
        ({"product": "MIS"}, "product"),
    ],
)
def test_what_its_list_does_not_have_is_refused_with_field_and_remedy(
    exchange: RunningExchange, changes: dict[str, str], field: str
) -> None:
    take_keys()
    loaded()
    open_all_day()
    with pytest.raises(NotListedSo) as refused:
        submit_order(an_account(), an_order(**changes), utcnow())

    assert refused.value.details["field"] == field


def an_order(**changes: Any) -> NewOrder:
    stated = {"instrument": "NYSE:BRK.B", "broker_account": NAME, "session": SessionRule.WAIT}
    return a_new_order(**{**stated, **changes})


def open_all_day() -> None:
    today = utcnow().astimezone(NEW_YORK).date()
    for exchange in SERVED.split(","):
        for day in (today, today + timedelta(days=1)):
            whole = Statement((Span(time(0), time(23, 59)),))
            overrides.override_day(exchange, day, whole, "the test trades at any hour", "the test", utcnow())


def test_an_order_goes_all_the_way_whatever_its_exchange_and_its_symbol(
    exchange: RunningExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Orders of before, which this database does not know, would hold all sending.
    with start_exchange(tmp_path, wire="alpaca") as empty:
        monkeypatch.setenv("ALPACA_ROOT_URL", empty.url)
        forget()
        take_keys()
        loaded()
        open_all_day()
        reconcile(utcnow())
        for instrument in ("NYSE:BRK.B", "ARCA:SPY", "NASDAQ:AAPL"):
            order_id = submit_order(an_account(), an_order(instrument=instrument, num_splits=2), utcnow()).order_id
            split_orders([order_id], utcnow())
            filled = filled_slice(slices_of(order_id)[0].id)
            with empty.ledger() as ledger:
                [placed] = ledger.orders(filled.client_order_id)
            assert (placed.instrument, placed.filled_quantity) == (instrument, 50)


def filled_slice(slice_id: str) -> OrderSlice:
    def is_placed() -> bool:
        execute_slice(slice_id)
        return a_slice(slice_id).status is SliceStatus.WORKING

    def is_filled() -> bool:
        track_slices(utcnow())
        return a_slice(slice_id).status is SliceStatus.FILLED

    wait_until(is_placed, 20, "a placed slice")
    wait_until(is_filled, 20, "a filled slice")
    return a_slice(slice_id)


def compare(exchange: RunningExchange) -> list[Finding]:
    """As if somebody had just logged in."""
    with db.transaction() as session:
        broker_calendars.ask_anew(session, "alpaca")
    assert compare_calendars(utcnow()) == 1
    return asked_doctor(calendars.agree)


def test_its_days_are_compared_once_a_day_and_after_a_login(exchange: RunningExchange) -> None:
    take_keys()
    assert [compare_calendars(utcnow()), compare_calendars(utcnow())] == [1, 0]
    days, clock = asked_doctor(calendars.agree)

    assert (days.is_ok, clock.is_ok) == (True, True)
    assert "as ours, as far as both go" in days.verdict
    assert of_code(AlarmCode.CALENDAR_DIFFERS) == []
    take_keys()
    assert compare_calendars(utcnow()) == 1


def test_a_difference_is_told_once_and_an_override_mends_it(exchange: RunningExchange) -> None:
    take_keys()
    day = next_open_day()
    standing(exchange, days={day.isoformat(): "13:00"})
    found = compare(exchange)[0]
    compare(exchange)

    assert found.trouble is Trouble.CALENDAR_DIFFERS
    assert f"AMEX, ARCA, BATS, NASDAQ, NYSE on {day} 09:30-16:00 here, 09:30-13:00 there" in found.verdict
    [alarm] = of_code(AlarmCode.CALENDAR_DIFFERS)
    assert (alarm.subject, alarm.occurrences, alarm.status) == ("alpaca", 1, AlarmStatus.OPEN)
    # Ours is what orders are held to.
    assert hours.all_calendars()["NYSE"].day(day).phases[-1].closes.astimezone(NEW_YORK).time() == time(16)

    for name in SERVED.split(","):
        short = Statement((Span(time(9, 30), time(13)),))
        overrides.override_day(name, day, short, "circular 7", "the test", utcnow())
    assert compare_calendars(utcnow()) == 0
    assert asked_doctor(calendars.agree)[0].is_ok
    assert [one.status for one in of_code(AlarmCode.CALENDAR_DIFFERS)] == [AlarmStatus.RESOLVED]


def test_a_broker_that_tells_nothing_leaves_what_it_told_before(exchange: RunningExchange) -> None:
    take_keys()
    compare(exchange)
    exchange.set_faults({"fault": "book_down"})
    days, _ = compare(exchange)

    assert days.is_ok
    assert "asked last: HTTP_5" in days.verdict or "asked last: ALPACA_5" in days.verdict
    assert of_code(AlarmCode.CALENDAR_DIFFERS) == []


def test_its_clock_is_compared_too(exchange: RunningExchange) -> None:
    take_keys()
    exchange.move_clock(datetime.now(UTC) + timedelta(seconds=90))
    _, clock = compare(exchange)

    assert clock.trouble is Trouble.BROKER_CLOCK_OFF
    assert "ahead of the database's" in clock.verdict


def next_open_day() -> date:
    calendar = hours.all_calendars()["NYSE"]
    day = utcnow().astimezone(NEW_YORK).date() + timedelta(days=1)
    while [one.name for one in calendar.day(day).phases] != ["core"] or calendar.day(day).name:
        day += timedelta(days=1)
    return day
