"""A Kite user's program works on the exchange as it does at Kite: the official client's calls, and Kite's answers."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import KiteConnect
from kiteconnect.exceptions import GeneralException, InputException, KiteException, OrderException

from pulse_ops.paper_exchange.clock import INDIA
from pulse_ops.paper_exchange.instruments.listing import listed
from tests.support.exchange import ACCESS_TOKEN, API_KEY, API_SECRET, RunningExchange, start_exchange
from tests.support.processes import wait_until

MORNING = datetime(2026, 11, 30, 10, tzinfo=INDIA)
HOLIDAY = datetime(2026, 12, 25, 10, tzinfo=INDIA)
FUTURE = next(key.partition(":")[2] for key in listed(MORNING.date()) if key.endswith("FUT"))
OPTION = "RELIANCE26DEC2850CE"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    options = ["--session", "market", "--redirect-url", "http://127.0.0.1:5000/"]
    with start_exchange(tmp_path_factory.mktemp("kite"), more=options) as running:
        yield running


@pytest.fixture
def exchange(shared: RunningExchange) -> Iterator[RunningExchange]:
    shared.move_clock(MORNING)
    yield shared
    shared.set_faults()
    shared.control("PUT", "account", {"cash": None, "holdings": None})
    shared.control("PUT", "prices", {"NSE:INFY": "1550", "NSE:SBIN": "780"})


@pytest.fixture
def kite(exchange: RunningExchange) -> KiteConnect:
    return KiteConnect(api_key=API_KEY, access_token=ACCESS_TOKEN, root=exchange.url)


def terms(**changes: Any) -> dict[str, Any]:
    stated = {"variety": "regular", "exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY"}
    stated |= {"quantity": 10, "product": "CNC", "order_type": "LIMIT", "validity": "DAY", "price": 1400.0}
    return {name: value for name, value in {**stated, **changes}.items() if value is not None}


def market(**changes: Any) -> dict[str, Any]:
    return terms(order_type="MARKET", price=None, market_protection=-1, **changes)


def order(kite: KiteConnect, order_id: str) -> dict[str, Any]:
    [found] = [row for row in kite.orders() if row["order_id"] == order_id]
    return dict(found)


def statuses(kite: KiteConnect, order_id: str) -> list[str]:
    return [row["status"] for row in kite.order_history(order_id)]


def test_a_program_starts_up_trades_and_goes_home(exchange: RunningExchange) -> None:
    kite = KiteConnect(api_key=API_KEY, root=exchange.url)
    page = requests.get(
        f"{exchange.url}/connect/login", {"api_key": API_KEY, "v": "3"}, allow_redirects=False, timeout=5
    )
    token = parse_qs(urlsplit(page.headers["Location"]).query)["request_token"][0]
    kite.generate_session(token, API_SECRET)

    assert kite.profile()["exchanges"] == ["NSE", "BSE", "NFO"]
    began = kite.margins("equity")["net"]
    assert began == kite.margins()["equity"]["net"] > 0
    assert {"tradingsymbol", "quantity", "average_price", "last_price"} <= kite.holdings()[0].keys()
    tokens = {row["tradingsymbol"]: row["instrument_token"] for row in kite.instruments("NSE")}
    assert kite.quote("NSE:INFY")["NSE:INFY"]["instrument_token"] == tokens["INFY"] == 408065
    assert kite.ohlc("NSE:INFY")["NSE:INFY"]["ohlc"].keys() == {"open", "high", "low", "close"}
    assert kite.ltp("NSE:INFY", "NSE:NOSUCH").keys() == {"NSE:INFY"}
    asked = [terms(trigger_price=0), terms(trigger_price=0, tradingsymbol="SBIN", price=780.0)]
    apart, together = kite.order_margins(asked), kite.basket_order_margins(asked)
    assert [row["total"] for row in apart] == [14_000.0, 7_800.0]
    assert together["final"]["total"] == 21_800.0
    assert kite.get_virtual_contract_note(asked)[0]["charges"]["transaction_tax"] == 14.0

    resting = kite.place_order(**terms(tag="first"))
    kite.modify_order("regular", resting, quantity=12, price=1401.0)
    kite.cancel_order("regular", resting)
    bought = kite.place_order(**market())

    changed = order(kite, resting)
    assert (changed["status"], changed["quantity"], changed["price"]) == ("CANCELLED", 12, 1401.0)
    assert (changed["cancelled_quantity"], changed["pending_quantity"], changed["tags"]) == (12, 0, ["first"])
    assert [row["quantity"] for row in kite.order_trades(bought)] == [10]
    [position] = [row for row in kite.positions()["net"] if row["tradingsymbol"] == "INFY"]
    assert position["quantity"] == sum(row["quantity"] for row in kite.trades() if row["tradingsymbol"] == "INFY")
    assert kite.margins("equity")["net"] == pytest.approx(began - order(kite, bought)["average_price"] * 10)
    assert kite.invalidate_access_token()


def test_history_has_the_states_that_an_order_goes_through(kite: KiteConnect) -> None:
    before = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
    assert statuses(kite, kite.place_order(**market())) == [*before, "COMPLETE"]
    resting = kite.place_order(**terms())
    kite.modify_order("regular", resting, price=1402.0)
    assert statuses(kite, resting) == [*before, "MODIFY VALIDATION PENDING", "MODIFY PENDING", "OPEN"]
    filled = [row["filled_quantity"] for row in kite.order_history(kite.place_order(**market()))]
    assert filled == [0, 0, 0, 0, 10]


@pytest.mark.parametrize(
    ("side", "trigger", "limit", "reached"),
    [("BUY", 1600.0, 1605.0, "1601"), ("SELL", 1500.0, 1495.0, "1499")],
)
def test_a_stop_waits_for_its_trigger_and_then_trades(
    exchange: RunningExchange, kite: KiteConnect, side: str, trigger: float, limit: float, reached: str
) -> None:
    stated = {"transaction_type": side, "trigger_price": trigger}
    at_a_limit = kite.place_order(**terms(order_type="SL", price=limit, **stated))
    at_market = kite.place_order(**market(**stated) | {"order_type": "SL-M"})
    assert {order(kite, one)["status"] for one in (at_a_limit, at_market)} == {"TRIGGER PENDING"}

    exchange.control("PUT", "prices", {"NSE:INFY": reached})

    wait_until(lambda: {order(kite, one)["status"] for one in (at_a_limit, at_market)} == {"COMPLETE"}, 10, "fills")
    assert statuses(kite, at_a_limit)[-3:] == ["TRIGGER PENDING", "OPEN", "COMPLETE"]


def test_a_protected_market_order_leaves_a_rest_that_is_a_limit_order(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    exchange.set_faults({"fault": "leave_rest", "fraction": 0.4})
    left = order(kite, kite.place_order(**market(tradingsymbol="SBIN") | {"market_protection": 1}))
    assert (left["status"], left["order_type"], left["filled_quantity"]) == ("OPEN", "LIMIT", 4)
    assert left["price"] == pytest.approx(left["average_price"] * 1.01, abs=0.05)

    exchange.control("PUT", "prices", {"NSE:SBIN": str(left["price"] - 1)})
    wait_until(lambda: order(kite, left["order_id"])["status"] == "COMPLETE", 10, "the rest")


def test_an_order_ends_with_its_validity(exchange: RunningExchange, kite: KiteConnect) -> None:
    at_once = kite.place_order(**terms(validity="IOC"))
    short = kite.place_order(**terms(validity="TTL", validity_ttl=2))
    assert (order(kite, at_once)["status"], order(kite, short)["status"]) == ("CANCELLED", "OPEN")
    exchange.move_clock(MORNING + timedelta(minutes=3))
    assert order(kite, short)["status"] == "CANCELLED"


def test_an_after_market_order_waits_for_the_next_opening(exchange: RunningExchange, kite: KiteConnect) -> None:
    exchange.move_clock(MORNING.replace(hour=18))
    kept, gone = (kite.place_order(**terms(variety="amo", price=price)) for price in (1600.0, 1601.0))
    kite.modify_order("amo", kept, quantity=11)
    kite.cancel_order("amo", gone)
    assert statuses(kite, gone) == ["AMO REQ RECEIVED", "CANCELLED"]
    assert order(kite, kept)["status"] == "AMO REQ RECEIVED"

    exchange.move_clock(MORNING + timedelta(days=1))

    assert [(row["status"], row["filled_quantity"]) for row in kite.orders() if row["order_id"] == kept] == [
        ("COMPLETE", 11)
    ]


def test_money_and_shares_run_out_and_the_refusal_stands_in_the_book(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    held = {"ITC": {"quantity": 15, "average_price": "700"}}
    exchange.control("PUT", "account", {"cash": "20000", "holdings": held})
    kite_used = 20_000 - kite.margins("equity")["net"]
    exchange.control("PUT", "account", {"cash": str(20_000 + kite_used), "holdings": held})
    assert [(row["tradingsymbol"], row["quantity"]) for row in kite.holdings()] == [("ITC", 15)]

    paid = kite.place_order(**terms(tag="paid"))
    kite.modify_order("regular", paid, price=1399.0)
    kite.modify_order("regular", paid, price=1400.0)
    with pytest.raises(GeneralException, match="Insufficient funds"):
        kite.modify_order("regular", paid, quantity=15)
    with pytest.raises(GeneralException, match=r"Insufficient funds. Required margin is 14000.00 but available margin"):
        kite.place_order(**terms(tag="unpaid"))
    kite.place_order(**terms(tradingsymbol="ITC", transaction_type="SELL", price=500.0))
    with pytest.raises(GeneralException, match="Insufficient holdings"):
        kite.place_order(**terms(tradingsymbol="ITC", transaction_type="SELL", price=500.0))

    [refused] = [row for row in kite.orders() if row["tag"] == "unpaid"]
    assert (refused["status"], refused["filled_quantity"]) == ("REJECTED", 0)
    assert statuses(kite, refused["order_id"])[-1] == "REJECTED"
    for row in kite.orders():
        if row["status"] == "OPEN":
            kite.cancel_order("regular", row["order_id"])


def test_an_order_is_modified_25_times_and_no_more(kite: KiteConnect) -> None:
    resting = kite.place_order(**terms())
    for times in range(25):
        kite.modify_order("regular", resting, quantity=11 + times)
    with pytest.raises(KiteException, match="Maximum allowed order modifications exceeded"):
        kite.modify_order("regular", resting, quantity=99)
    kite.cancel_order("regular", resting)
    with pytest.raises(OrderException, match="cannot be modified"):
        kite.modify_order("regular", resting, quantity=99)


CLOSED = "CNC orders are blocked as the markets are not open for trading today. Try placing an AMO order."
UNKNOWN = "The instrument you are placing an order for has either expired or does not exist."
OFF_TICK = "Tick size for this script is 0.10. Kindly enter price in the multiple of tick size for this script"
UNPROTECTED = (
    "Market orders without market protection are not allowed via API."
    " Please set market protection or use a Limit order."
)
FAR = "Price exceeds circuit limits for the instrument. Place an order within the daily range."
TOO_LOW = (
    "Trigger price for stoploss buy orders should be higher than the last traded price (245.00)."
    " Try limit order to buy at a lower price."
)
NO_SL_M = "Stoploss Market orders (SL-M) are blocked for F&O contracts as they have been discontinued by the exchange."
FUTURES = {"exchange": "NFO", "tradingsymbol": FUTURE, "product": "NRML", "price": 26_000.0}
Place = Callable[[KiteConnect], object]


def place(**changes: Any) -> Place:
    return lambda kite: kite.place_order(**terms(**changes))


# What Kite answers: the call, HTTP status, error_type and message. The words are Kite's but for those marked, which are
# ours: nobody has published them.
ANSWERS: list[tuple[Place, int, str, str]] = [
    (place(tradingsymbol="NOSUCH"), 400, "InputException", UNKNOWN),
    (place(tradingsymbol="NIFTY 50"), 400, "InputException", UNKNOWN),
    (place(tradingsymbol="NIFTY20JANFUT", exchange="NFO", product="NRML"), 400, "InputException", UNKNOWN),
    (place(price=1400.05), 400, "InputException", OFF_TICK),
    (place(order_type="MARKET"), 400, "InputException", UNPROTECTED),
    (place(price=1100.0), 400, "InputException", FAR),
    (place(quantity=100_001), 400, "InputException", "Maximum quantity per order for Equity is 1,00,000"),
    (place(tradingsymbol="WIPRO", order_type="SL", price=250.0, trigger_price=240.0), 400, "InputException", TOO_LOW),
    (
        place(**FUTURES, quantity=65, order_type="SL-M", trigger_price=26_500, market_protection=-1),
        400,
        "InputException",
        NO_SL_M,
    ),
    (place(quantity=0), 400, "InputException", "Invalid `quantity`."),
    (place(product="CASH"), 400, "InputException", "Invalid `product`."),
    (place(order_type="STOP"), 400, "InputException", "Invalid `order_type`."),
    (place(transaction_type="HOLD"), 400, "InputException", "Invalid `transaction_type`."),
    # Ours.
    (place(**FUTURES, quantity=64), 400, "InputException", "Quantity should be a multiple of the lot size (65)."),
    (
        place(**FUTURES, quantity=1820),
        400,
        "InputException",
        f"Quantity exceeds the freeze quantity of 1800 for {FUTURE}.",
    ),
    (
        place(
            exchange="NFO",
            tradingsymbol=OPTION,
            product="NRML",
            quantity=500,
            order_type="MARKET",
            market_protection=-1,
        ),
        400,
        "InputException",
        "Market orders are blocked for stock options due to illiquidity. Place a limit order.",
    ),
    (
        place(tag="longer than twenty characters"),
        400,
        "InputException",
        "Invalid `tag`. It should be alphanumeric and at most 20 characters.",
    ),
    (
        place(variety="co"),
        501,
        "GeneralException",
        "The paper exchange has no orders of variety co: place regular or amo ones.",
    ),
    (
        place(variety="amo"),
        400,
        "InputException",
        "After market orders are not allowed between 9:00 AM and 3:45 PM.",
    ),
    # Kite's again.
    (lambda kite: kite.cancel_order("regular", "1"), 404, "OrderException", "Couldn't find that `order_id`."),
    (lambda kite: kite.order_history("1"), 404, "OrderException", "Couldn't find that `order_id`."),
    (
        lambda kite: kite.get_gtts(),
        501,
        "GeneralException",
        "The paper exchange has no orders that wait (GTT).",
    ),
    (lambda kite: kite.mf_orders(), 501, "GeneralException", "The paper exchange has no mutual funds."),
    (lambda kite: kite.margins("moon"), 400, "InputException", "Invalid `segment`."),
]


def test_refusals_are_answered_as_kite_answers_them(exchange: RunningExchange) -> None:
    assert [answer_to(exchange, call) for call, *_ in ANSWERS] == [tuple(told) for _, *told in ANSWERS]


def test_a_closed_market_takes_after_market_orders_only(exchange: RunningExchange, kite: KiteConnect) -> None:
    exchange.move_clock(HOLIDAY)
    assert answer_to(exchange, place()) == (400, "InputException", CLOSED)
    kite.cancel_order("amo", kite.place_order(**terms(variety="amo")))
    exchange.move_clock(MORNING.replace(hour=15, minute=26))
    assert answer_to(exchange, lambda kite: kite.place_order(**market()))[:2] == (400, "InputException")
    kite.cancel_order("regular", kite.place_order(**terms(price=1540.0)))
    with pytest.raises(InputException, match="MIS"):
        kite.place_order(**terms(product="MIS"))


def test_nothing_that_was_refused_before_the_book_stands_in_it(exchange: RunningExchange, kite: KiteConnect) -> None:
    answer_to(exchange, place(tradingsymbol="NOSUCH", tag="nowhere"))
    assert [row for row in kite.orders() if row["tag"] == "nowhere"] == []
    with exchange.ledger() as ledger:
        [arrival] = ledger.arrivals("nowhere")
    assert (arrival.outcome, arrival.order_id) == ("REFUSED", None)


def answer_to(exchange: RunningExchange, call: Place) -> tuple[int, str, str]:
    """Status, error_type and message as they stand on the wire: the client knows only some of the types."""
    kite = KiteConnect(api_key=API_KEY, access_token=ACCESS_TOKEN, root=exchange.url)
    answers: list[requests.Response] = []
    kite.reqsession.hooks["response"] = [lambda answer, **_: answers.append(answer)]
    with pytest.raises(KiteException):
        call(kite)
    told = answers[-1].json()
    return answers[-1].status_code, told["error_type"], told["message"]
