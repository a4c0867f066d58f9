"""The row of endurance divides what was seen among its parts, and compares the last with the first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.__main__ import _chosen
from bench.archived import ArchivedDay
from bench.arrivals import Seen, Sent
from bench.figures import Figure
from bench.rows.endurance import ARCHIVED_FROM, PARTS, Part, archiving_note, figures

BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def a_part(number: int, **changes: float) -> Part:
    starts = BEGAN + timedelta(minutes=number)
    held = {"worker-control": changes.get("held", 90.0)}
    dead, queue = changes.get("dead", 0.0), [1.0, changes.get("queue", 2.0)]
    return Part(starts, starts + timedelta(minutes=1), {"pulse": 3.0, "gapi": 2.0}, held, queue, dead, 10.0)


def sent(minute: float, late_ms: float) -> Sent:
    at = BEGAN + timedelta(minutes=minute)
    return Sent("ord_1", at, at + timedelta(milliseconds=late_ms))


def seen(minute: float, after_ms: float) -> Seen:
    return Seen(BEGAN + timedelta(minutes=minute), after_ms)


def archived(minute: float) -> ArchivedDay:
    return ArchivedDay(20, BEGAN + timedelta(minutes=minute))


def value(found: Sequence[Figure], name: str) -> tuple[float, float | None]:
    [one] = [one for one in found if one.name == name]
    return one.product.median, one.floor.median if one.floor else None


def test_each_part_has_what_came_due_in_it_and_the_last_stands_beside_the_first() -> None:
    found = figures(
        [a_part(0), a_part(1, held=99.0, dead=7.0, queue=5.0)],
        [sent(0, 10), sent(0.5, 20), sent(1, 30), sent(1.9, -1)],
        [seen(0.1, 300), seen(1.1, 700)],
        [archived(1.2), archived(1.4), archived(2.1)],
    )

    assert value(found, "latest slice, in the last part") == (30, 20)
    assert value(found, "fill seen after p99, in the last part") == (700, 300)
    assert value(found, "memory of worker-control, in the last part") == (99, 90)
    assert value(found, "messages in the queue or with workers, most, in the last part") == (5, 2)
    assert value(found, "messages in the queue or with workers, p50, in the last part") == (5, 2)
    assert value(found, "slices early, in the last part") == (1, 0)
    assert value(found, "part 2: finished slices archived") == (2000, None)
    assert value(found, "part 2: dead rows") == (7, None)
    assert value(found, "part 1: CPU per slice, all processes") == (5, None)
    assert value(found, "slices early, all parts") == (1, None)


def test_it_is_said_how_much_was_archived_beside_trading_if_anything_was() -> None:
    parts = [a_part(number) for number in range(PARTS)]

    some = archiving_note(parts, [archived(ARCHIVED_FROM + 1), archived(ARCHIVED_FROM + 1.5)])

    assert some == "2,000 finished slices were archived in 90 s from the beginning of part 3 on"
    assert archiving_note(parts, []).startswith("0 finished slices were archived in ")


def test_it_is_measured_only_where_it_is_named() -> None:
    assert "endurance" not in _chosen("")
    assert _chosen("endurance") == ["endurance"]
