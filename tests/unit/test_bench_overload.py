"""The row of overload tells each phase by itself, and when nothing was late any more."""

from datetime import UTC, datetime, timedelta

import pytest

from bench.arrivals import Seen, Sent
from bench.rows.overload import ON_TIME_MS, Phase, figures, on_time_after, phases

BEGAN = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def sent(second: float, late_ms: float) -> Sent:
    at = BEGAN + timedelta(seconds=second)
    return Sent("ord_1", at, at + timedelta(milliseconds=late_ms))


def seen(second: float, after_ms: float) -> Seen:
    return Seen(BEGAN + timedelta(seconds=second), after_ms)


def planned() -> list[Phase]:
    return phases(BEGAN, [("before", 10, 20), ("overload", 100, 5), ("after", 10, 60)])


def test_phases_follow_each_other_and_have_slices_evenly_spaced() -> None:
    assert [(one.name, one.starts - BEGAN, one.spacing_seconds) for one in planned()] == [
        ("before", timedelta(0), 0.1),
        ("overload", timedelta(seconds=20), 0.01),
        ("after", timedelta(seconds=25), 0.1),
    ]


def test_each_phase_has_what_came_due_in_it() -> None:
    found = figures(
        planned(),
        [sent(0, 10), sent(19.9, 30), sent(20, 9000), sent(25, 5000), sent(84, 20)],
        [seen(1, 300), seen(22, 4000), seen(24.9, 6000), seen(30, 2000)],
    )

    value = {one.name: one.product.median for one in found}
    assert [value[f"{name}: latest slice"] for name in ("before", "overload", "after")] == [30, 9000, 5000]
    assert [value[f"{name}: fill seen after p99"] for name in ("before", "overload", "after")] == [300, 6000, 2000]


def test_it_is_on_time_again_when_the_last_late_slice_has_been_sent() -> None:
    *_, after = planned()

    assert on_time_after(after, [sent(20, 6000), sent(25, 5000), sent(26, 3000), sent(30, ON_TIME_MS)]) == 5
    assert on_time_after(after, [sent(24.9, 9000), sent(10, 5000)]) == pytest.approx(8.9)
    assert on_time_after(after, [sent(10, 5000)]) == 0
