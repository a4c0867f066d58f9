"""At every step between the request and the acknowledged message a process is killed, and no order suffers from it.

POINTS is the table of all of them. At each, a real process dies by SIGKILL while it works on an order made for that
point, and a successor takes over. In the end the paper exchange's ledger judges all orders at once.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.arena import Arena, running_arena
from tests.chaos.stories import (
    accepted,
    cancelled_over_http,
    coming_up,
    left_behind,
    placed_over_http,
    retried,
    split,
    suffering,
)
from tests.processes import wait_until

PACKAGES = ("pulse_app", "pulse_core", "pulse_tasks")
Story = Callable[[Arena, str], Iterator[None]]


@dataclass(frozen=True)
class Point:
    """Where a process of this kind dies, and how an order gets there."""

    kind: str
    name: str
    story: Story


lost_after = partial(suffering, fault="ack_lost")
lost_before = partial(suffering, fault="lost_before", count=2)
rate_limited = partial(suffering, fault="rate_limited", count=2)
refused = partial(suffering, fault="refuse")
resting = partial(suffering, fault="open_pending", seconds=3600)
claimed = partial(left_behind, point="execute.after_claim")
sent = partial(left_behind, point="execute.after_send")

POINTS = (
    Point("pulse", "intake.before_commit", placed_over_http),
    Point("pulse", "intake.after_commit", placed_over_http),
    Point("pulse", "intake.after_wakeup", placed_over_http),
    Point("pulse", "queue.before_publish", placed_over_http),
    Point("pulse", "queue.after_publish", placed_over_http),
    Point("pulse", "cancel.before_commit", cancelled_over_http),
    Point("pulse", "cancel.after_commit", cancelled_over_http),
    Point("control", "split.before_commit", accepted),
    Point("control", "split.after_commit", accepted),
    Point("control", "split.between_wakeups", accepted),
    Point("control", "dispatch.after_commit", coming_up),
    Point("control", "dispatch.after_publish", coming_up),
    Point("control", "expire.before_commit", claimed),
    Point("control", "expire.after_commit", sent),
    Point("control", "resolve.before_commit", lost_after),
    Point("control", "resolve.before_commit", lost_before),
    Point("control", "resolve.after_commit", lost_after),
    Point("control", "resolve.after_commit", lost_before),
    Point("control", "track.before_commit", split),
    Point("control", "track.after_commit", split),
    Point("control", "recall.before_ask", resting),
    Point("control", "recall.after_ask", resting),
    Point("control", "retry.before_commit", retried),
    Point("control", "retry.after_commit", retried),
    Point("slices", "execute.before_claim", split),
    Point("slices", "execute.before_claim_commit", split),
    Point("slices", "execute.after_claim", split),
    Point("slices", "execute.after_turn", split),
    Point("slices", "execute.before_send", split),
    Point("slices", "execute.after_send", split),
    Point("slices", "execute.after_send", lost_after),
    Point("slices", "execute.after_send", lost_before),
    Point("slices", "execute.before_record_commit", split),
    Point("slices", "execute.before_record_commit", lost_after),
    Point("slices", "execute.before_record_commit", rate_limited),
    Point("slices", "execute.before_record_commit", refused),
    Point("slices", "execute.after_record", split),
    Point("slices", "execute.after_unlock", split),
)


@pytest.fixture
def arena(environment: dict[str, str], clean_database: str, tmp_path: Path) -> Iterator[Arena]:
    with running_arena(environment, tmp_path) as opened:
        yield opened


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("companion", "victims"), [("control", ("slices", "pulse")), ("slices", ("control",))])
def test_a_process_killed_at_any_point_costs_no_order_and_sends_nothing_twice(
    arena: Arena, companion: str, victims: Sequence[str]
) -> None:
    arena.start(companion)
    stories: list[Iterator[None]] = []
    for kind in victims:
        stories += [kill_at(arena, point, len(stories) + n) for n, point in enumerate(points_of(kind))]
        arena.start(kind)
    for story in stories:
        next(story, None)

    arena.wait_until_final()
    assert arena.broken_promises() == []
    assert arena.rows("SELECT count(DISTINCT instrument) FROM orders") == [(len(stories),)]


def kill_at(arena: Arena, point: Point, number: int) -> Iterator[None]:
    """Begin the point's story beside a process that dies there; it succeeds the one that died before."""
    victim = arena.start(point.kind, is_victim=True)
    if point.kind == "slices":
        wait_until(lambda: not arena.has_overdue_slices(), 40, "the end of what the last victim left")
    has_died = arena.strike_at(point.name)
    story = point.story(arena, f"NSE:P{number}")
    next(story)
    wait_until(has_died, 40, f"death at {point.name}")
    if point.kind == "pulse":
        # Only granian's worker has died; its parent would keep the port.
        victim.kill()
    assert victim.wait(10)
    return story


def points_of(kind: str) -> list[Point]:
    return [point for point in POINTS if point.kind == kind]


def test_the_table_names_every_failpoint_of_the_source() -> None:
    assert {point.name for point in POINTS} == set(failpoints_in_the_source())


def failpoints_in_the_source() -> Sequence[str]:
    root = Path(__file__).parents[2]
    calls = (
        node
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "failpoint"
    )
    return [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
