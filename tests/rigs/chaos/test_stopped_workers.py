"""A worker that was stopped, or lost its connection, between its claim and the request must not send any more."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulse_core.clock import utcnow
from pulse_core.trading.slice.leases import expire_claims
from pulse_ops.stack.child import Child
from tests.rigs.chaos.stories import STATED
from tests.support.arena import Arena, running_arena
from tests.support.factories import a_slice, a_split_order, slices_of
from tests.support.processes import wait_until

CUT = """SELECT pg_terminate_backend(pid) FROM pg_locks, hashtextextended(%s, 0) AS key WHERE locktype = 'advisory'
    AND granted AND classid::bigint = (key >> 32 & 4294967295) AND objid::bigint = (key & 4294967295)"""

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.parametrize("has_companion", [False, True], ids=["alone", "beside a healthy worker"]),
]


@dataclass(frozen=True)
class Claim:
    """What a stopped worker holds."""

    slice_id: str
    client_order_id: str


@pytest.fixture
def arena(environment: dict[str, str], clean_database: str, tmp_path: Path) -> Iterator[Arena]:
    with running_arena(environment, tmp_path) as opened:
        opened.start("control")
        yield opened


@pytest.fixture
def victim(arena: Arena, has_companion: bool) -> Child:
    if has_companion:
        arena.start("slices")
    return arena.start("slices", is_victim=True)


@pytest.mark.usefixtures("has_companion")
def test_a_worker_stopped_for_longer_than_its_lease_sends_nothing_when_it_wakes(arena: Arena, victim: Child) -> None:
    claims = []
    for point in ("execute.after_claim", "execute.before_send"):
        claims.append(stop(arena, point))
        wait_until(lambda: is_lease_over(arena, claims[-1]), 20, "the end of the lease")
        # Its fence stands, so no sweep may touch the slice.
        expire_claims(utcnow())
        assert a_slice(claims[-1].slice_id).status == "SENDING"
        wake(victim, claims[-1])

    check_that_others_sent_them(arena, claims)


@pytest.mark.usefixtures("has_companion")
def test_a_worker_whose_connection_was_cut_sends_nothing_when_it_wakes(arena: Arena, victim: Child) -> None:
    claims = []
    for point in ("execute.after_claim", "execute.before_send"):
        claims.append(stop(arena, point))
        assert arena.rows(CUT, claims[-1].slice_id) == [(True,)]
        # Without its fence the slice is taken over, found to be absent, and free to be sent again.
        wait_until(lambda: has_been_resolved(claims[-1]), 30, "the take-over")
        wake(victim, claims[-1])

    claims.append(stop(arena, "execute.after_claim"))
    assert arena.rows(CUT, claims[-1].slice_id) == [(True,)]
    wake(victim, claims[-1])

    check_that_others_sent_them(arena, claims)


def stop(arena: Arena, point: str) -> Claim:
    """Place slices one by one, the next when the one before is done, until the victim stands still with one."""
    has_stopped = arena.strike_at(point, "stop")
    for _ in range(20):
        order_id = a_split_order(utcnow(), arena.account, **STATED)
        # The control worker may be splitting it at the same time, and then its slices come with that one's commit.
        wait_until(lambda order_id=order_id: slices_of(order_id), 20, "the order's slices")
        one = slices_of(order_id)[0].id
        wait_until(lambda one=one: has_stopped() or a_slice(one).filled_quantity, 20, "a slice's end")
        if has_stopped():
            return Claim(one, a_slice(one).client_order_id or "")
    raise AssertionError(f"no slice came to {point}")


def wake(victim: Child, claim: Claim) -> None:
    """Let the victim go on, and wait until its slice was worked under another claim."""
    assert victim.process is not None
    victim.process.send_signal(signal.SIGCONT)
    wait_until(lambda: a_slice(claim.slice_id).filled_quantity, 40, "the slice's fill")


def is_lease_over(arena: Arena, claim: Claim) -> bool:
    query = "SELECT 1 FROM order_slices WHERE id = %s AND lease_expires_at < now()"
    return bool(arena.rows(query, claim.slice_id))


def has_been_resolved(claim: Claim) -> bool:
    return a_slice(claim.slice_id).status not in ("SENDING", "UNKNOWN")


def check_that_others_sent_them(arena: Arena, claims: list[Claim]) -> None:
    """None of these requests was ever made, and yet each slice was sent, once."""
    for (order_id,) in arena.rows("SELECT id FROM orders"):
        arena.make_due(order_id)
    arena.wait_until_final()
    assert [arena.arrivals(claim.client_order_id) for claim in claims] == [0] * len(claims)
    assert [accepted_requests(arena, claim) for claim in claims] == [1] * len(claims)
    assert arena.broken_promises() == []


def accepted_requests(arena: Arena, claim: Claim) -> int:
    attempts = arena.rows("SELECT client_order_id FROM placements WHERE slice_id = %s", claim.slice_id)
    return sum(arena.arrivals(client_order_id) for (client_order_id,) in attempts)
