"""A flawless trade of two slices, and one thing at a time made wrong in it: the judge must name the promise."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest

from pulse_ops.verify import broken_promises
from pulse_ops.verify.facts import (
    ArrivalRow,
    BrokerBooks,
    BrokerOrderRow,
    BrokerTradeRow,
    Database,
    EventRow,
    Facts,
    FillRow,
    HaltRow,
    OrderRow,
    PlacementRow,
    SliceRow,
)

START = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TAGS = ("AAAAAAAAAAAAAAAAAAA1", "AAAAAAAAAAAAAAAAAAA2")
DATABASE_TABLES = ("halts", "orders", "slices", "placements", "fills", "events")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_flawless_trade() -> Facts:
    """100 shares in two slices of 50, placed at 0 and 60 seconds and filled a second later; read at 600."""
    numbers = (1, 2)
    database = Database(
        at(600),
        [
            OrderRow(
                "ord_1",
                "DONE",
                "FILLED",
                100,
                2,
                100,
                Decimal("10.0500"),
                at(0),
                at(62),
                at(62),
                "paper",
                False,
                "acc_1",
                "NSE:RELIANCE",
            )
        ],
        [a_slice(number) for number in numbers],
        [
            PlacementRow(TAGS[number - 1], f"sl_{number}", 1, 50, f"B{number}", "ACKNOWLEDGED", due(number))
            for number in numbers
        ],
        [FillRow(f"sl_{number}", f"B{number}", f"T{number}", 50, price(number)) for number in numbers],
        [
            moved(None, 0, None, "PENDING"),
            moved(None, 0, "PENDING", "IN_PROGRESS"),
            *(event for number in numbers for event in moves_of(number)),
            moved(None, 62, "IN_PROGRESS", "DONE"),
        ],
    )
    books = BrokerBooks(
        [
            BrokerOrderRow(
                f"B{number}",
                TAGS[number - 1],
                "COMPLETE",
                50,
                50,
                placed(number),
                placed(number) + timedelta(seconds=1),
            )
            for number in numbers
        ],
        [BrokerTradeRow(f"T{number}", f"B{number}", 50, price(number), placed(number)) for number in numbers],
        [ArrivalRow(TAGS[number - 1], placed(number), "ACCEPTED", f"B{number}") for number in numbers],
    )
    return Facts(database, books, is_final=True, grace=timedelta(seconds=60))


def due(number: int) -> datetime:
    return at(60 * (number - 1))


def placed(number: int) -> datetime:
    return due(number) + timedelta(milliseconds=20)


def price(number: int) -> Decimal:
    return Decimal("10.0000") if number == 1 else Decimal("10.1000")


def a_slice(number: int) -> SliceRow:
    return SliceRow(
        id=f"sl_{number}",
        order_id="ord_1",
        sequence_number=number,
        quantity=50,
        scheduled_at=due(number),
        due_at=due(number),
        status="FILLED",
        attempts=1,
        client_order_id=TAGS[number - 1],
        broker_order_id=f"B{number}",
        lease_expires_at=due(number),
        deadline_at=due(number),
        resolve_at=None,
        filled_quantity=50,
        average_price=price(number),
        updated_at=due(number),
    )


def moved(slice_id: str | None, seconds: float, seen: str | None, to: str, **detail: Any) -> EventRow:
    return EventRow("ord_1", slice_id, at(seconds), "MOVE", seen, to, None, detail)


def claimed(number: int, seconds: float, tag: str) -> EventRow:
    return moved(f"sl_{number}", seconds, "SCHEDULED", "SENDING", client_order_id=tag)


def told(number: int, seconds: float, filled: int) -> EventRow:
    return EventRow("ord_1", f"sl_{number}", at(seconds), "FILL", None, None, None, {"filled_quantity": filled})


def alarmed(slice_id: str, seconds: float, alarm: str, **detail: Any) -> EventRow:
    return EventRow("ord_1", slice_id, at(seconds), "ALARM", None, None, alarm, {"code": alarm, **detail})


def amended(seconds: float, before: int, after: int) -> EventRow:
    detail = {"field": "total_quantity", "before": before, "after": after}
    return EventRow("ord_1", None, at(seconds), "AMENDED", None, None, None, detail)


def held(seconds: float, kind: str = "HELD", **detail: Any) -> EventRow:
    return EventRow("ord_1", None, at(seconds), kind, None, None, None, detail)


def ended_and_retried(ended: float, retried: float) -> list[EventRow]:
    return [moved(None, ended, "IN_PROGRESS", "DONE"), moved(None, retried, "DONE", "IN_PROGRESS")]


def moves_of(number: int) -> list[EventRow]:
    began, slice_id = 60 * (number - 1), f"sl_{number}"
    return [
        claimed(number, began, TAGS[number - 1]),
        moved(slice_id, began, "SENDING", "WORKING", broker_order_id=f"B{number}"),
        told(number, began + 1, 50),
        moved(slice_id, began + 1, "WORKING", "FILLED"),
    ]


def changed(facts: Facts, table: str, row: int, **changes: Any) -> Facts:
    side = "database" if table in DATABASE_TABLES else "books"
    name = table.removeprefix("broker_")
    rows = list(getattr(getattr(facts, side), name))
    rows[row] = replace(rows[row], **changes)
    return _with(facts, side, name, rows)


def added(facts: Facts, table: str, row: object) -> Facts:
    side = "database" if table in DATABASE_TABLES else "books"
    name = table.removeprefix("broker_")
    return _with(facts, side, name, [*getattr(getattr(facts, side), name), row])


def with_events(facts: Facts, *events: EventRow) -> Facts:
    """These events beside the others, in the order of their time."""
    return _with(facts, "database", "events", sorted([*facts.database.events, *events], key=attrgetter("at")))


def without(facts: Facts, table: str, row: int) -> Facts:
    side = "database" if table in DATABASE_TABLES else "books"
    name = table.removeprefix("broker_")
    rows = list(getattr(getattr(facts, side), name))
    return _with(facts, side, name, rows[:row] + rows[row + 1 :])


def _with(facts: Facts, side: str, name: str, rows: list[Any]) -> Facts:
    changes: dict[str, Any] = {side: replace(getattr(facts, side), **{name: rows})}
    return replace(facts, **changes)


def broken(facts: Facts) -> set[str]:
    return {violation.promise for violation in broken_promises(facts)}


def a_second_attempt(facts: Facts, seconds: float) -> Facts:
    """Slice 2 is placed again, known to the database, `seconds` after its first order was placed."""
    tag = "AAAAAAAAAAAAAAAAAAA3"
    again = placed(2) + timedelta(seconds=seconds)
    facts = changed(facts, "slices", 1, attempts=2)
    facts = added(facts, "placements", PlacementRow(tag, "sl_2", 2, 50, "B3", "ACKNOWLEDGED", again))
    facts = added(facts, "broker_orders", BrokerOrderRow("B3", tag, "REJECTED", 50, 0, again, again))
    return added(facts, "arrivals", ArrivalRow(tag, again, "ACCEPTED"))


WRONGS: dict[str, tuple[str, Callable[[Facts], Facts]]] = {
    "a slice is placed again while its first order lives": ("one-live-order", lambda f: a_second_attempt(f, 0.5)),
    "a slice is placed again though it is filled": ("never-over-quantity", lambda f: a_second_attempt(f, 5)),
    "a request arrives twice": ("sent-once", lambda f: added(f, "arrivals", ArrivalRow(TAGS[0], at(1), "REFUSED"))),
    "one client order id makes two orders": (
        "sent-once",
        lambda f: added(f, "broker_orders", BrokerOrderRow("B9", TAGS[0], "REJECTED", 50, 0, at(9), at(9))),
    ),
    "an attempt was not recorded": ("sent-once", lambda f: changed(f, "slices", 0, attempts=2)),
    "the broker has an order nobody knows": (
        "every-broker-order-known",
        lambda f: added(f, "broker_orders", BrokerOrderRow("B9", "B" * 20, "REJECTED", 50, 0, at(9), at(9))),
    ),
    "the attempt does not name its order": (
        "every-broker-order-known",
        lambda f: changed(f, "placements", 0, broker_order_id=None),
    ),
    "an attempt taken for absent is there": (
        "presumed-absent-rightly",
        lambda f: changed(f, "placements", 0, outcome="ABSENT"),
    ),
    "an attempt taken for absent turned up once": (
        "presumed-absent-rightly",
        lambda f: added(
            f,
            "events",
            EventRow("ord_1", "sl_1", at(9), "ALARM", None, None, "TURNED_UP"),
        ),
    ),
    "a slice goes out before its time": ("never-early", lambda f: changed(f, "arrivals", 1, arrived_at=at(59.9))),
    "a slice is claimed while its order is held": ("nothing-sent-while-held", lambda f: with_events(f, held(30))),
    "a slice is claimed while one of two halts stands": (
        "nothing-sent-while-held",
        lambda f: with_events(f, held(30, halt_id="1"), held(31, halt_id="2"), held(50, "RELEASED", halt_id="1")),
    ),
    "an order that was held otherwise than by a halt has ended and been retried": (
        "nothing-sent-while-held",
        lambda f: with_events(f, held(30), *ended_and_retried(32, 50)),
    ),
    "a slice reaches the broker while everything is halted": (
        "nothing-under-a-halt",
        lambda f: added(f, "halts", HaltRow("halt_1", None, None, None, at(30), None)),
    ),
    "a slice reaches the broker while its instrument is halted": (
        "nothing-under-a-halt",
        lambda f: added(f, "halts", HaltRow("halt_1", None, "paper", "NSE:RELIANCE", at(30), at(90))),
    ),
    "a slice is claimed after its order was over": (
        "nothing-after-the-end",
        lambda f: added(f, "events", moved("sl_2", 90, "FILLED", "SENDING")),
    ),
    "more goes out in an interval than its order may": (
        "no-bursts",
        lambda f: changed(changed(f, "orders", 0, max_slice_multiple=1), "placements", 1, claimed_at=at(40)),
    ),
    "a slice was added for what no other has left": (
        "quantities-add-up",
        lambda f: added(
            f, "slices", replace(a_slice(2), id="sl_3", sequence_number=3, status="SKIPPED", filled_quantity=0)
        ),
    ),
    "more is at stake than was ordered": ("quantities-add-up", lambda f: changed(f, "orders", 0, total_quantity=90)),
    "the order's filled quantity is not that of its slices": (
        "quantities-add-up",
        lambda f: changed(f, "orders", 0, filled_quantity=99),
    ),
    "a slice's filled quantity is not that of its fills": (
        "quantities-add-up",
        lambda f: changed(f, "slices", 0, filled_quantity=49),
    ),
    "a slice is missing": ("quantities-add-up", lambda f: changed(f, "orders", 0, num_splits=3)),
    "an order was amended below what was out": (
        "amended-within-bounds",
        lambda f: added(added(f, "events", amended(30, 100, 40)), "events", amended(70, 40, 100)),
    ),
    "an amendment was made to another total": (
        "amended-within-bounds",
        lambda f: added(f, "events", amended(30, 100, 120)),
    ),
    "an amendment is missing": (
        "amended-within-bounds",
        lambda f: added(added(f, "events", amended(30, 100, 120)), "events", amended(40, 110, 100)),
    ),
    "a trade was not booked": ("fills-agree", lambda f: without(f, "fills", 0)),
    "a fill has no trade": ("fills-agree", lambda f: without(f, "trades", 0)),
    "a fill has another price than its trade": (
        "fills-agree",
        lambda f: changed(f, "fills", 0, price=Decimal("10.0500")),
    ),
    "an average is one paisa off": (
        "prices-agree",
        lambda f: changed(f, "orders", 0, average_price=Decimal("10.0501")),
    ),
    "a move is missing": ("legal-history", lambda f: without(f, "events", 3)),
    "a move is illegal": ("legal-history", lambda f: added(f, "events", moved("sl_1", 99, "FILLED", "SCHEDULED"))),
    "a status was written without its move": ("legal-history", lambda f: changed(f, "slices", 0, status="EXPIRED")),
    "a filled slice was cancelled at the broker": (
        "statuses-agree",
        lambda f: changed(f, "broker_orders", 0, status="CANCELLED"),
    ),
    "the result does not follow from the quantities": (
        "statuses-agree",
        lambda f: changed(f, "orders", 0, result="PARTIALLY_FILLED"),
    ),
    "an order has no end": ("nothing-forgotten", lambda f: changed(f, "orders", 0, status="IN_PROGRESS")),
    "an ended slice lives on at the broker": (
        "nothing-forgotten",
        lambda f: changed(f, "broker_orders", 0, status="OPEN"),
    ),
}


def test_nothing_is_wrong_with_a_flawless_trade() -> None:
    assert broken_promises(a_flawless_trade()) == []


@pytest.mark.parametrize(("promise", "wrong"), WRONGS.values(), ids=WRONGS.keys())
def test_each_wrong_breaks_its_promise(promise: str, wrong: Callable[[Facts], Facts]) -> None:
    assert promise in broken(wrong(a_flawless_trade()))


@pytest.mark.parametrize(
    "events",
    [
        [held(30), held(50, "RELEASED")],
        [held(30, halt_id="1"), held(50, "RELEASED", halt_id="1")],
        [held(58)],
        # It had ended when the halt was released, and was told nothing.
        [held(30, halt_id="1"), *ended_and_retried(32, 50)],
    ],
)
def test_what_is_no_longer_held_may_be_sent(events: list[EventRow]) -> None:
    assert broken_promises(with_events(a_flawless_trade(), *events)) == []


@pytest.mark.parametrize(
    "halt",
    [
        HaltRow("halt_1", None, None, None, at(59.5), None),
        HaltRow("halt_1", None, None, None, at(30), at(50)),
        HaltRow("halt_1", "acc_2", None, None, at(30), None),
        HaltRow("halt_1", None, "zerodha", None, at(30), None),
        HaltRow("halt_1", None, None, "NSE:INFY", at(30), None),
    ],
)
def test_what_a_halt_does_not_stop_may_be_sent(halt: HaltRow) -> None:
    assert broken_promises(added(a_flawless_trade(), "halts", halt)) == []


@pytest.mark.parametrize(("filled", "is_burst"), [(0, False), (1, True)])
def test_of_what_the_broker_rejects_only_the_fills_have_gone_out(filled: int, is_burst: bool) -> None:
    facts = changed(changed(a_flawless_trade(), "orders", 0, max_slice_multiple=1), "placements", 1, claimed_at=at(40))
    rejected = changed(facts, "broker_orders", 0, status="REJECTED", filled_quantity=filled)
    assert ("no-bursts" in broken(rejected)) == is_burst


def test_a_trade_of_this_second_may_still_be_on_its_way_into_the_database() -> None:
    late = BrokerTradeRow("T9", "B1", 1, Decimal(10), at(590))
    running = replace(added(a_flawless_trade(), "trades", late), is_final=False)
    assert "fills-agree" not in broken(running)
    assert "fills-agree" in broken(replace(running, grace=timedelta(seconds=5)))


def test_a_due_slice_that_nobody_takes_is_forgotten() -> None:
    waiting = changed(a_flawless_trade(), "slices", 1, status="SCHEDULED", due_at=at(60))
    open_order = changed(waiting, "orders", 0, status="IN_PROGRESS", result=None)
    assert "nothing-forgotten" in broken(replace(open_order, is_final=False))
    soon = changed(open_order, "slices", 1, due_at=at(610))
    assert "nothing-forgotten" not in broken(replace(soon, is_final=False))


def test_the_slices_of_an_order_that_was_amended_are_those_of_another_plan() -> None:
    """Of 120 shares in two slices one was lowered to 50 before it was claimed."""
    facts = added(a_flawless_trade(), "events", amended(30, 120, 100))
    assert broken_promises(facts) == []
