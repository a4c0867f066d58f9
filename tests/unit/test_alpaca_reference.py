"""What Alpaca tells of its assets, its account, its days and its time, and how strictly that is read."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from api_contract.vocabulary import InstrumentKind, Product
from pulse_core.brokers.alpaca.broker import AlpacaBroker
from pulse_core.brokers.instruments import ListsInstruments, ListUnavailable
from pulse_core.brokers.market_days import BrokerDay, TellsMarketDays
from pulse_core.brokers.port import (
    ACCOUNT_BLOCKED,
    TOKEN_ENDED,
    BookUnavailable,
    BrokerError,
    CallLimits,
    NotSent,
    OutcomeUnknown,
    Refused,
    Scope,
)
from tests.unit.wire import Act, answer, hang_up, wire

EXCHANGES = frozenset({"NYSE", "NASDAQ", "ARCA"})
ASSET: dict[str, Any] = {
    "id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
    "class": "us_equity",
    "exchange": "NYSE",
    "symbol": "BRK.B",
    "name": "Berkshire Hathaway Inc. New Common Stock",
    "status": "active",
    "tradable": True,
    "marginable": True,
    "shortable": True,
    "fractionable": True,
}
ACCOUNT: dict[str, Any] = {
    "account_number": "PA3ABCDEFGHI",
    "status": "ACTIVE",
    "account_blocked": False,
    "trading_blocked": False,
    "trade_suspended_by_user": False,
}


def told(status: int, body: Any) -> Act:
    return answer(status, json.dumps(body).encode())


def asked(act: Act, ask: Callable[[AlpacaBroker], Any]) -> Any:
    with wire(act) as end:
        broker = AlpacaBroker(name="alpaca", root=end.url, api_key="k" * 20, api_secret="s" * 20, limits=CallLimits(0))
        return ask(broker)


def listed(*rows: Any) -> Any:
    return asked(told(200, rows), lambda broker: broker.instruments(EXCHANGES))


def failure(act: Act, ask: Callable[[AlpacaBroker], Any]) -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        asked(act, ask)
    return raised.value


def whoami(broker: AlpacaBroker) -> str:
    return broker.whoami()


def test_it_has_the_abilities_that_others_may_lack() -> None:
    broker = AlpacaBroker(name="alpaca", root="http://127.0.0.1:1", api_key="k", api_secret="s")

    assert isinstance(broker, ListsInstruments)
    assert isinstance(broker, TellsMarketDays)


def test_an_asset_is_a_share_in_whole_cents_and_whole_shares() -> None:
    [one] = listed(ASSET).instruments

    assert (one.exchange, one.symbol, one.token) == ("NYSE", "BRK.B", "b0b6dd9d8b9b48a9ba46b9d54906e415")
    assert (one.kind, one.lot_size, one.tick_size) == (InstrumentKind.EQUITY, 1, Decimal("0.01"))
    assert (tuple(one.products), one.expires_on) == ((Product.CNC,), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "inactive"},
        {"tradable": False},
        {"class": "crypto"},
        {"exchange": "OTC"},
        {"exchange": ""},
        {"symbol": "BRK B"},
    ],
)
def test_what_nobody_can_order_is_left_out_and_is_no_fault_of_the_list(changes: dict[str, Any]) -> None:
    found = listed(ASSET | changes)

    assert (found.instruments, found.skipped) == ([], 0)


@pytest.mark.parametrize(
    ("increments", "lot", "tick"),
    [
        ({"min_trade_increment": "0.0001", "min_order_size": "0.0001"}, 1, "0.01"),
        ({"min_trade_increment": "1", "min_order_size": "1", "price_increment": "0.01"}, 1, "0.01"),
        ({"min_trade_increment": "10", "min_order_size": "10", "price_increment": "0.05"}, 10, "0.05"),
        ({"price_increment": "0.0001"}, 1, "0.01"),
        ({"min_order_size": None, "price_increment": None}, 1, "0.01"),
    ],
)
def test_increments_that_are_stated_are_kept_as_far_as_whole_shares_and_cents_go(
    increments: dict[str, Any], lot: int, tick: str
) -> None:
    [one] = listed(ASSET | increments).instruments

    assert (one.lot_size, one.tick_size) == (lot, Decimal(tick))


@pytest.mark.parametrize(
    "changes",
    [
        {"tradable": "yes"},
        {"id": "7"},
        {"min_trade_increment": "0.3"},
        {"min_trade_increment": "-1"},
        {"min_order_size": "100"},
        {"price_increment": "0.015"},
        {"price_increment": "NaN"},
        {"symbol": None},
        {"exchange": 7},
    ],
)
def test_an_asset_that_cannot_be_read_is_skipped_and_counted(changes: dict[str, Any]) -> None:
    found = listed(ASSET | changes, ASSET | {"symbol": "KO"})

    assert ([one.symbol for one in found.instruments], found.skipped) == (["KO"], 1)


def test_a_symbol_that_is_listed_twice_and_a_row_without_its_fields_are_skipped() -> None:
    found = listed(ASSET, ASSET | {"name": "Another"}, *(ASSET | {"symbol": f"S{n}"} for n in range(40)))

    assert (len(found.instruments), found.skipped) == (41, 1)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (answer(200, b'[{"id": "1"', length=500), "TRUNCATED"),
        (answer(200, json.dumps([ASSET] * 3).encode()[:-40]), "TRUNCATED"),
        (hang_up, "TRUNCATED"),
        (told(200, {"message": "no list"}), "MALFORMED"),
        (told(200, [ASSET, "row"]), "MALFORMED"),
        (told(200, [{"symbol": "A"}, {"symbol": "B"}]), "MALFORMED"),
        (told(401, {"code": 40110000, "message": "unauthorized."}), TOKEN_ENDED),
        (told(500, {"message": "oops"}), "HTTP_500"),
    ],
)
def test_a_list_that_is_not_whole_is_none(act: Act, code: str) -> None:
    found = failure(act, lambda broker: broker.instruments(EXCHANGES))

    assert isinstance(found, ListUnavailable)
    assert found.code == code


def test_an_account_that_may_trade_says_its_number() -> None:
    assert asked(told(200, ACCOUNT), whoami) == "PA3ABCDEFGHI"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account_blocked": True}, "account_blocked"),
        ({"trading_blocked": True}, "trading_blocked"),
        ({"trade_suspended_by_user": True}, "trade_suspended_by_user"),
        ({"status": "ACCOUNT_CLOSED"}, "status ACCOUNT_CLOSED"),
        ({"trading_blocked": None}, "trading_blocked"),
    ],
)
def test_an_account_that_may_not_trade_is_blocked_and_its_keys_are_none_the_worse(
    changes: dict[str, Any], words: str
) -> None:
    found = failure(told(200, ACCOUNT | changes), whoami)

    assert isinstance(found, Refused)
    assert (found.code, found.scope) == (ACCOUNT_BLOCKED, Scope.ACCOUNT)
    assert words in found.message


@pytest.mark.parametrize(
    ("act", "kind", "code"),
    [
        (told(401, {"code": 40110000, "message": "unauthorized."}), Refused, TOKEN_ENDED),
        (told(403, {"message": "forbidden."}), Refused, ACCOUNT_BLOCKED),
        (told(200, {}), OutcomeUnknown, "NO_USER"),
        (told(200, ACCOUNT | {"account_number": "x" * 65}), OutcomeUnknown, "NO_USER"),
        (told(200, []), OutcomeUnknown, "NO_USER"),
        (told(429, {"message": "too many requests."}), NotSent, "RATE_LIMITED"),
        (hang_up, OutcomeUnknown, "NO_ANSWER"),
    ],
)
def test_keys_that_do_not_work_and_an_answer_that_says_nothing_are_told_apart(
    act: Act, kind: type[BrokerError], code: str
) -> None:
    found = failure(act, whoami)

    assert (type(found), found.code) == (kind, code)


def days_of(*rows: Any) -> Any:
    since, until = date(2026, 12, 23), date(2026, 12, 28)
    return asked(told(200, rows), lambda broker: broker.market_days(since, until))


def a_day(day: str, opens: str = "09:30", closes: str = "16:00") -> dict[str, str]:
    return {"date": day, "open": opens, "close": closes, "session_open": "0400", "session_close": "2000"}


def test_the_open_days_come_in_order_and_no_others() -> None:
    found = days_of(a_day("2026-12-24", closes="13:00"), a_day("2026-12-23"), a_day("2026-12-29"))

    assert found == [
        BrokerDay(date(2026, 12, 23), time(9, 30), time(16)),
        BrokerDay(date(2026, 12, 24), time(9, 30), time(13)),
    ]


@pytest.mark.parametrize(
    "row", [{"date": "2026-12-23"}, a_day("Christmas"), a_day("2026-12-23", "16:00", "09:30"), a_day("2026-12-24"), {}]
)
def test_days_that_cannot_be_read_are_no_calendar(row: dict[str, str]) -> None:
    with pytest.raises(BookUnavailable):
        days_of(a_day("2026-12-24"), row)


def test_the_time_is_read_to_the_microsecond_in_utc() -> None:
    shown = {"timestamp": "2026-11-30T09:30:00.123456789-05:00", "is_open": True}

    assert asked(told(200, shown), lambda broker: broker.market_time()) == datetime(
        2026, 11, 30, 14, 30, 0, 123456, tzinfo=UTC
    )


@pytest.mark.parametrize("shown", [{}, {"timestamp": None}, {"timestamp": "now"}, []])
def test_a_clock_that_tells_no_time_is_none(shown: Any) -> None:
    with pytest.raises(BookUnavailable):
        asked(told(200, shown), lambda broker: broker.market_time())
