"""At every step between the request and the acknowledged message a process is killed, and no order suffers from it.

TABLE names all of them. At each, a real process dies by SIGKILL while it works on an order made for that
point, and a successor takes over. In the end the paper exchange's ledger judges all orders at once.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pulse_ops.paper_exchange.instruments.listing import cash
from tests.rigs.chaos.stories import (
    accepted,
    amended_over_http,
    cancelled_over_http,
    coming_up,
    halted_over_http,
    left_behind,
    placed_over_http,
    refused_both,
    released_over_http,
    retried,
    split,
    suffering,
)
from tests.support.arena import Arena, running_arena
from tests.support.processes import wait_until

# One for each story, by which its order is known.
SHARES = [key for key in cash() if key.removeprefix("NSE:").isalpha()]
PACKAGES = ("pulse_app", "pulse_core", "pulse_tasks")
Story = Callable[[Arena, str], Iterator[None]]


@dataclass(frozen=True)
class Point:
    """Where a process of this kind dies, how an order gets there, and that story in words for the page."""

    kind: str
    name: str
    story: Story
    words: str


@dataclass(frozen=True)
class Told:
    """A story with its words."""

    story: Story
    words: str


over_http = Told(placed_over_http, "placed over HTTP, repeated by the client until answered")
cancelled = Told(cancelled_over_http, "one slice at the exchange, one not due, cancelled over HTTP")
amended = Told(amended_over_http, "one slice at the exchange, one not due, amended over HTTP, repeated until answered")
halted = Told(halted_over_http, "one slice at the exchange, one not due, halted over HTTP and released")
released = Told(released_over_http, "one slice at the exchange, one not due, a halt released over HTTP")
to_split = Told(accepted, "accepted")
both_due = Told(split, "both slices due")
to_dispatch = Told(coming_up, "a slice that comes into the horizon")
claimed = Told(partial(left_behind, point="execute.after_claim"), "a dead worker's claim, nothing sent")
sent = Told(partial(left_behind, point="execute.after_send"), "a dead worker's claim, the order live")
lost_after = Told(partial(suffering, fault="ack_lost"), "answers lost after acceptance")
lost_before = Told(partial(suffering, fault="lost_before", count=2), "requests lost before acceptance")
rate_limited = Told(partial(suffering, fault="rate_limited", count=2), "429")
refused = Told(refused_both, "refused")
resting = Told(partial(suffering, fault="open_pending", seconds=3600), "slices that rest until their deadline")
to_retry = Told(retried, "a refused slice that an operator retries twice")

TABLE: tuple[tuple[str, str, tuple[Told, ...]], ...] = (
    ("pulse", "intake.before_commit", (over_http,)),
    ("pulse", "intake.after_commit", (over_http,)),
    ("pulse", "intake.after_wakeup", (over_http,)),
    ("pulse", "queue.before_publish", (over_http,)),
    ("pulse", "queue.after_publish", (over_http,)),
    ("pulse", "cancel.before_commit", (cancelled,)),
    ("pulse", "cancel.after_commit", (cancelled,)),
    ("pulse", "amend.before_replan", (amended,)),
    ("pulse", "amend.before_commit", (amended,)),
    ("pulse", "amend.after_commit", (amended,)),
    ("pulse", "halt.after_commit", (halted,)),
    ("pulse", "halt.release_asked", (released,)),
    ("pulse", "halt.before_release", (released,)),
    ("control", "split.before_commit", (to_split,)),
    ("control", "split.after_commit", (to_split,)),
    ("control", "split.between_wakeups", (to_split,)),
    ("control", "dispatch.after_commit", (to_dispatch,)),
    ("control", "dispatch.after_publish", (to_dispatch,)),
    ("control", "expire.before_commit", (claimed,)),
    ("control", "expire.after_commit", (sent,)),
    ("control", "resolve.before_commit", (lost_after, lost_before)),
    ("control", "resolve.after_commit", (lost_after, lost_before)),
    ("control", "track.before_commit", (both_due,)),
    ("control", "track.after_commit", (both_due,)),
    ("control", "recall.before_ask", (resting,)),
    ("control", "recall.after_ask", (resting,)),
    ("control", "retry.before_commit", (to_retry,)),
    ("control", "retry.after_commit", (to_retry,)),
    ("slices", "execute.before_claim", (both_due,)),
    ("slices", "execute.after_claim", (both_due,)),
    ("slices", "execute.after_turn", (both_due,)),
    ("slices", "execute.before_send", (both_due,)),
    ("slices", "execute.after_send", (both_due, lost_after, lost_before)),
    ("slices", "execute.before_record_commit", (lost_after, rate_limited, refused)),
    ("slices", "execute.after_record", (both_due,)),
    ("slices", "execute.after_unlock", (both_due,)),
)
POINTS = tuple(Point(kind, name, told.story, told.words) for kind, name, stories in TABLE for told in stories)


@pytest.fixture
def arena(environment: dict[str, str], clean_database: str, tmp_path: Path) -> Iterator[Arena]:
    with running_arena(environment, tmp_path) as opened:
        yield opened


@pytest.mark.timeout(600)
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
        wait_until(lambda: not arena.has_overdue_slices(), 60, "the end of what the last victim left")
    has_died = arena.strike_at(point.name)
    story = point.story(arena, SHARES[number])
    next(story)
    wait_until(has_died, 60, f"death at {point.name}")
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
    root = Path(__file__).parents[3]
    calls = (
        node
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "failpoint"
    )
    return [argument.value for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
