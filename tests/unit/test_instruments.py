"""What a broker's list says, which list is taken, and what an order must keep of it: without servers."""

import gzip
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api_contract.errors import NotListedSo
from api_contract.order_rules import MAX_SPLITS, MIN_SPLITS, NewOrder
from api_contract.vocabulary import InstrumentKind, OrderType, Product
from pulse_core.brokers.instruments import BrokerInstrument, Listing, ListUnavailable
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_core.brokers.zerodha.instruments import read_list
from pulse_core.instruments import order_caps, rules
from pulse_core.instruments.completeness import why_refused
from pulse_core.instruments.listed import Listed
from pulse_core.trading.schedule import Sizes, plan
from tests.support.factories import a_new_order
from tests.support.instruments import COLUMNS, a_future, a_share, shares
from tests.unit.wire import Act, answer, hang_up, reset, wire

START = datetime(2026, 11, 27, 4, tzinfo=UTC)
ZERODHA = order_caps.caps_of("zerodha")
RELIANCE = b'738561,2885,RELIANCE,"RELIANCE, INDUSTRIES",0,,0,0.1,1,EQ,NSE,NSE\n'
FUTURE = b"12683010,49543,NIFTY26DECFUT,NIFTY,0,2026-12-29,0,0.1,65,FUT,NFO-FUT,NFO\n"
INDEX = b"256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE\n"


def listed(one: BrokerInstrument) -> Listed:
    assert ZERODHA is not None
    return ZERODHA.listed(one)


def lists(act: Act, *exchanges: str) -> Listing:
    with wire(act) as end:
        broker = ZerodhaBroker(name="zerodha", root=end.url, api_key="k", access_token="secret-token", timeout=0.5)
        return broker.instruments(exchanges or ("NSE",))


def csv(*lines: bytes, **options: int) -> Act:
    return answer(200, b"".join((COLUMNS, *lines)), "text/csv", **options)


def test_a_list_is_read_with_its_lots_ticks_and_symbols_of_any_kind() -> None:
    odd = [RELIANCE.replace(b",RELIANCE,", f",{symbol},".encode()) for symbol in ("M&M", "BAJAJ-AUTO", "A.B")]

    found = lists(csv(RELIANCE, INDEX, *odd))

    assert found.skipped == 0
    assert [one.symbol for one in found.instruments] == ["RELIANCE", "M&M", "BAJAJ-AUTO", "A.B"]
    assert found.instruments[0] == BrokerInstrument(
        "NSE", "RELIANCE", "738561", "RELIANCE, INDUSTRIES", InstrumentKind.EQUITY, 1, Decimal("0.1"), None,
        (Product.CNC, Product.MIS),
    )  # fmt: skip


def test_a_contract_has_its_last_day_its_lot_and_the_products_of_derivatives() -> None:
    [found] = lists(csv(FUTURE), "NFO").instruments

    assert (found.lot_size, found.expires_on, found.products) == (65, date(2026, 12, 29), (Product.MIS, Product.NRML))
    assert (found.kind, found.name) == (InstrumentKind.FUTURE, "NIFTY")


def test_a_compressed_list_is_read_and_one_that_comes_byte_by_byte_too() -> None:
    text = COLUMNS + RELIANCE + RELIANCE.replace(b"RELIANCE,", b"TCS,").replace(b"INDUSTRIES", "É".encode())
    body = gzip.compress(text)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    assert len(lists(lambda connection: connection.sendall(head.encode() + body)).instruments) == 2
    assert len(read_list([text[at : at + 1] for at in range(len(text))], "NSE").instruments) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"x,1,TCS,TCS,0,,0,0.1,1,EQ,NSE,NSE\n",
        b"1,1,TCS,TCS,0,,0,0.1,0,EQ,NSE,NSE\n",
        b"1,1,TCS,TCS,0,,0,0,1,EQ,NSE,NSE\n",
        b"1,1,TCS,TCS,0,,0,NaN,1,EQ,NSE,NSE\n",
        b"1,1,TCS,TCS,0,soon,0,0.1,1,EQ,NSE,NSE\n",
        b"1,1,TCS,TCS,0,,0,0.1,1,XX,NSE,NSE\n",
        b"1,1,TCS,TCS,0,,0,0.1,1,EQ,BSE,BSE\n",
        b"1,1,TCS,0,,0,0.1,1,EQ,NSE,NSE\n",
        b"1,1,RELIANCE,TWICE,0,,0,0.1,1,EQ,NSE,NSE\n",
        b"\n",
    ],
)
def test_one_line_that_cannot_be_read_is_skipped_and_counted(line: bytes) -> None:
    found = lists(csv(RELIANCE, line, RELIANCE.replace(b",RELIANCE,", b",ITC,")))

    assert ([one.symbol for one in found.instruments], found.skipped) == (["RELIANCE", "ITC"], 1)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (csv(RELIANCE, RELIANCE[:-3]), "TRUNCATED"),
        (csv(RELIANCE, RELIANCE[:20]), "TRUNCATED"),
        (csv(RELIANCE, length=100_000), "TRUNCATED"),
        (answer(200, b"", "text/csv"), "MALFORMED"),
        (answer(200, COLUMNS[17:] + RELIANCE, "text/csv"), "MALFORMED"),
        (answer(200, b"<html>maintenance</html>", "text/html"), "MALFORMED"),
        (csv(RELIANCE, b"1,2\n", b"3\n"), "MALFORMED"),
        (csv(RELIANCE, b"\xff\xfe\n"), "MALFORMED"),
        (csv(b'1,1,"' + b"x" * 200_000), "MALFORMED"),
        (answer(403, b'{"error_type": "TokenException", "message": "no secret-token here"}'), "TOKEN_ENDED"),
        (answer(503, b"busy"), "HTTP_503"),
        (reset, "NO_ANSWER"),
        (hang_up, "NO_ANSWER"),
    ],
)
def test_a_list_that_is_not_whole_is_no_list(act: Act, code: str) -> None:
    with pytest.raises(ListUnavailable) as failed:
        lists(act)

    assert failed.value.code == code
    assert "secret-token" not in str(failed.value)


def test_of_an_exchange_that_the_broker_does_not_serve_nothing_is_listed() -> None:
    assert lists(answer(400, b'{"error_type": "InputException", "message": "Invalid `exchange`."}')) == Listing([], 0)


def test_a_last_line_without_an_end_counts_when_it_is_whole() -> None:
    assert len(lists(csv(RELIANCE[:-1])).instruments) == 1


def test_a_list_that_drips_in_has_a_time_limit() -> None:
    def drip(connection: object) -> None:
        csv(RELIANCE, length=10_000)(connection)  # type: ignore[arg-type]
        connection.recv(1)  # type: ignore[attr-defined]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pulse_core.brokers.zerodha.broker.LIST_PATIENCE", 1.0)
        with pytest.raises(ListUnavailable, match="TRUNCATED"):
            lists(drip)


@pytest.mark.parametrize(
    ("count", "left", "why"),
    [
        (0, {}, "no instrument"),
        (0, {"NSE": 1}, "no instrument"),
        (100, {}, None),
        (100, {"NSE": 111}, None),
        (100, {"NSE": 112}, "shrunk"),
        (100, {"NSE": 100, "BSE": 5}, "BSE has 0 instruments, and had 5"),
        (100, {"NSE": 10}, None),
    ],
)
def test_a_list_that_shrank_by_more_than_a_tenth_is_not_taken(
    count: int, left: dict[str, int], why: str | None
) -> None:
    refused = why_refused(list(map(listed, shares(count))), left)

    assert (refused is None) if why is None else why in (refused or "")


def test_the_caps_that_no_broker_tells_come_from_a_dated_file() -> None:
    nifty, reliance = listed(a_future()), listed(a_share())

    assert ZERODHA is not None
    assert order_caps.caps_of("paper") == ZERODHA
    assert order_caps.caps_of("nobody") is None
    assert (nifty.freeze_quantity, nifty.most_per_order) == (1800, 1755)
    assert (reliance.freeze_quantity, reliance.most_per_order) == (None, 100_000)
    stated = ZERODHA.with_freeze({"NFO:NIFTY=1300", "BFO:SENSEX=1000"})
    assert stated.listed(a_future()).most_per_order == 1300
    assert stated.listed(a_future(name="BANKNIFTY", lot_size=30)).most_per_order == 600
    assert stated.listed(a_future("SENSEX", exchange="BFO", name="SENSEX", lot_size=20)).most_per_order == 1000


def test_stock_options_take_limit_orders_only() -> None:
    def types(name: str, kind: InstrumentKind) -> Sequence[OrderType]:
        return sorted(listed(a_future(name=name, kind=kind)).order_types)

    assert types("TCS", InstrumentKind.CALL) == types("TCS", InstrumentKind.PUT) == [OrderType.LIMIT]
    assert types("NIFTY", InstrumentKind.CALL) == types("TCS", InstrumentKind.FUTURE) == sorted(OrderType)


@pytest.mark.parametrize(
    "change",
    [
        ("brokers:", "borkers:"),
        ("max_quantity: 100_000", "max_quantity: many"),
        ("NIFTY: 1800", "NIFTY: 0"),
    ],
)
def test_a_file_of_caps_is_as_it_must_be(change: tuple[str, str]) -> None:
    [text] = order_caps._texts()

    with pytest.raises(ValueError, match=r"caps state|whole number"):
        order_caps.read(text.replace(*change))


def future_order(**changes: object) -> NewOrder:
    stated = {"instrument": "NFO:NIFTY26DECFUT", "total_quantity": 650, "product": Product.NRML}
    return a_new_order(**{**stated, **changes})


STOCK_CALL = a_future("TCS26DEC4000CE", name="TCS", kind=InstrumentKind.CALL, lot_size=175)
Refused = tuple[BrokerInstrument, NewOrder, str, dict[str, object]]
REFUSED: dict[str, Refused] = {
    "product": (
        a_future(), future_order(product=Product.CNC), "INSTRUMENT_NOT_TRADABLE",
        {"field": "product", "allowed": ["MIS", "NRML"]},
    ),
    "the default product": (
        a_future(), future_order(product=None), "INSTRUMENT_NOT_TRADABLE",
        {"field": "product", "allowed": ["MIS", "NRML"]},
    ),
    "product of a share": (
        a_share(), a_new_order(product=Product.NRML), "INSTRUMENT_NOT_TRADABLE",
        {"field": "product", "allowed": ["CNC", "MIS"]},
    ),
    "order type": (
        STOCK_CALL, future_order(total_quantity=1750), "INSTRUMENT_NOT_TRADABLE",
        {"field": "order_type", "allowed": ["LIMIT"]},
    ),
    "lot": (
        a_future(), future_order(total_quantity=700), "INVALID_LOT",
        {"field": "total_quantity", "lot_size": 65, "nearest": [650, 715]},
    ),
    "less than a lot for each slice": (
        a_future(), future_order(total_quantity=260), "INVALID_LOT", {"nearest": [325]},
    ),
    "an odd lot below that": (a_future(), future_order(total_quantity=300), "INVALID_LOT", {"nearest": [325]}),
    "tick": (
        a_share(), a_new_order(order_type=OrderType.LIMIT, limit_price=Decimal("1402.37")), "INVALID_TICK",
        {"field": "limit_price", "tick_size": "0.05", "nearest": ["1402.35", "1402.40"]},
    ),
    "below the first tick": (
        a_share(tick_size=Decimal(1)), a_new_order(order_type=OrderType.LIMIT, limit_price=Decimal("0.50")),
        "INVALID_TICK", {"nearest": ["1"]},
    ),
    "freeze": (
        a_future(), future_order(total_quantity=9750), "QUANTITY_TOO_LARGE",
        {"field": "split_config.num_splits", "max_slice_quantity": 1755, "freeze_quantity": 1800, "min_num_splits": 6},
    ),
    "cap of the broker": (
        a_share(), a_new_order(total_quantity=500_001), "QUANTITY_TOO_LARGE",
        {"field": "split_config.num_splits", "max_quantity": 100_000, "min_num_splits": 6},
    ),
    "more than all slices take": (
        a_share(), a_new_order(total_quantity=10_000_001), "QUANTITY_TOO_LARGE",
        {"field": "total_quantity", "max_total_quantity": 10_000_000},
    ),
    "a lot above the cap": (
        a_future(name="BANKNIFTY", lot_size=700), future_order(total_quantity=3500), "QUANTITY_TOO_LARGE",
        {"field": "total_quantity", "max_slice_quantity": 0, "max_total_quantity": 0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_order_is_refused_with_what_would_do(case: str) -> None:
    instrument, new_order, code, details = REFUSED[case]

    with pytest.raises(NotListedSo) as refused:
        rules.check_terms(new_order, listed(instrument), Product.CNC)

    assert refused.value.code == code
    assert {name: refused.value.details[name] for name in details} == details
    assert refused.value.details["instrument"] == f"{instrument.exchange}:{instrument.symbol}"


TAKEN: list[tuple[BrokerInstrument, NewOrder]] = [
    (a_share(), a_new_order()),
    (a_share(), a_new_order(order_type=OrderType.LIMIT, limit_price=Decimal("1402.35"))),
    (a_share(), a_new_order(total_quantity=500_000)),
    (a_future(), future_order()),
    (a_future(), future_order(total_quantity=1755 * 5)),
    (STOCK_CALL, future_order(total_quantity=1750, order_type=OrderType.LIMIT, limit_price=Decimal("0.1"))),
]


@pytest.mark.parametrize("case", range(len(TAKEN)))
def test_an_order_that_keeps_all_of_it_is_taken(case: int) -> None:
    instrument, new_order = TAKEN[case]

    rules.check_terms(new_order, listed(instrument), Product.CNC)


def test_a_contract_is_traded_on_its_last_day_and_not_after_it() -> None:
    future = listed(a_future())
    rules.check_expiry(listed(a_share()), date(2030, 1, 1))
    rules.check_expiry(future, date(2026, 12, 29))

    with pytest.raises(NotListedSo) as refused:
        rules.check_expiry(future, date(2026, 12, 30))

    assert (refused.value.code, refused.value.details["expires_on"]) == ("INSTRUMENT_NOT_TRADABLE", "2026-12-29")


@st.composite
def sized(draw: Callable[..., int]) -> tuple[int, int, Sizes]:
    lot, splits = draw(st.integers(1, 5000)), draw(st.integers(MIN_SPLITS, MAX_SPLITS))
    most_lots = draw(st.integers(1, 1000))
    lots = draw(st.integers(splits, splits * most_lots))
    return lots * lot, splits, Sizes(lot, most_lots * lot + draw(st.integers(0, lot - 1)))


@given(sized(), st.none() | st.integers(0, 2**63 - 1))
# Every slice has to be as large as it may be.
@example((1_000, 10, Sizes(lot_size=1, most=100)), 1)
def test_slices_are_whole_lots_below_the_cap_and_add_up(asked: tuple[int, int, Sizes], seed: int | None) -> None:
    total, num_splits, sizes = asked
    quantities = [one.quantity for one in plan(total, num_splits, START, timedelta(minutes=60), seed, sizes)]

    assert (sum(quantities), len(quantities)) == (total, num_splits)
    assert all(quantity % sizes.lot_size == 0 for quantity in quantities)
    assert sizes.most is not None
    assert sizes.lot_size <= min(quantities) <= max(quantities) <= sizes.most


@given(sized(), st.integers(0, 2**63 - 1))
def test_an_order_that_the_rules_take_can_be_split(asked: tuple[int, int, Sizes], seed: int) -> None:
    total, num_splits, sizes = asked
    future = Listed("NFO", "F", "1", "F", InstrumentKind.FUTURE, sizes.lot_size, Decimal(1), sizes.most, None,
                    (Product.NRML,), tuple(OrderType), None)  # fmt: skip
    rules.check_terms(future_order(total_quantity=total, num_splits=num_splits), future, Product.NRML)

    assert (
        len(plan(total, num_splits, START, timedelta(minutes=1), seed, Sizes(sizes.lot_size, sizes.most))) == num_splits
    )


@pytest.mark.parametrize(
    ("total", "sizes", "why"),
    [
        (100, Sizes(65), "whole lots"),
        (130, Sizes(65), "2 lots of 65 are too few"),
        (1000, Sizes(1, 300), "too many"),
    ],
)
def test_what_cannot_be_split_in_lots_is_refused(total: int, sizes: Sizes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        plan(total, 3, START, timedelta(minutes=1), None, sizes)
