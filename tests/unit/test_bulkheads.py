"""Places of one kind of request: who gets one, who waits, who is refused, and in which words."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event, Thread

import pytest

import gapi_app
import pulse_app
from api_contract.bulkheads import ASKS_SECONDS, Askers, Bulkhead, Size
from api_contract.errors import RateLimited, ServiceUnavailable
from gapi_app.guard import concurrency
from gapi_app.guard.known_networks import KnownNetworks
from pulse_app import places
from pulse_app.places import LOGIN_CONNECTIONS, SIZES, Kind, fitted

SOON = 0.05
BY_TURNS = Size(worked=4, waiting=4, patience_seconds=SOON, for_one=4, worked_for_one=3, worked_beside_others=1)


@contextmanager
def held(bulkhead: Bulkhead, *askers: str | None) -> Iterator[None]:
    for asker in askers:
        bulkhead.enter(asker)
    yield
    for asker in askers:
        bulkhead.leave(asker)


def test_so_many_are_worked_and_one_more_waits_for_a_moment_only() -> None:
    bulkhead = Bulkhead("orders", Size(worked=2, waiting=1, patience_seconds=SOON))
    with held(bulkhead, None, None), pytest.raises(ServiceUnavailable) as refused:
        bulkhead.enter(None)
    assert not bulkhead._waiting
    assert refused.value.details == {"busy": "orders", "retry_after_seconds": 1}
    # Who was refused has left nothing behind, neither among those that are worked nor among those that wait.
    assert not +bulkhead._taken
    assert not +bulkhead._worked


def test_who_waits_gets_the_place_that_becomes_free() -> None:
    bulkhead = Bulkhead("orders", Size(worked=1, waiting=1, patience_seconds=30))
    entered = Event()

    def wait() -> None:
        bulkhead.enter(None)
        entered.set()

    bulkhead.enter(None)
    waiting = Thread(target=wait)
    waiting.start()
    assert not entered.is_set()
    bulkhead.leave(None)
    waiting.join(5)
    assert entered.is_set()


def test_nobody_waits_where_all_places_are_taken() -> None:
    bulkhead = Bulkhead("orders", Size(worked=1, waiting=0, patience_seconds=600))
    with held(bulkhead, None), pytest.raises(ServiceUnavailable, match="too many orders at once"):
        bulkhead.enter(None)


def test_one_who_has_too_many_is_told_so_and_leaves_room_for_others() -> None:
    bulkhead = Bulkhead("orders", Size(worked=4, waiting=0, for_one=2))
    with held(bulkhead, "greedy", "greedy"):
        with pytest.raises(RateLimited) as refused:
            bulkhead.enter("greedy")
        assert refused.value.details == {"limit": 2, "retry_after_seconds": 1}
        with held(bulkhead, "another", None):
            """There is room for them."""
    with held(bulkhead, "greedy", "greedy"):
        """Those places are free again."""


def test_one_has_its_share_worked_and_waits_with_the_rest_while_others_are_worked() -> None:
    bulkhead = Bulkhead("orders", Size(worked=4, waiting=4, patience_seconds=SOON, for_one=4, worked_for_one=2))
    with held(bulkhead, "greedy", "greedy"):
        with pytest.raises(RateLimited) as refused:
            bulkhead.enter("greedy")
        assert refused.value.details == {"limit": 2, "retry_after_seconds": 1}
        with held(bulkhead, "another", "another"):
            """There is room for them."""


def test_one_who_is_alone_has_its_share_and_beside_others_one_at_a_time() -> None:
    now = [100.0]
    bulkhead = Bulkhead("orders", BY_TURNS, Askers(lambda: now[0]))
    with held(bulkhead, "greedy", "greedy"):
        """Nobody else wants anything."""
    with held(bulkhead, "honest", "greedy"):
        for asker in ("greedy", "honest"):
            with pytest.raises(RateLimited) as refused:
                bulkhead.enter(asker)
            assert refused.value.details["limit"] == 1
        with held(bulkhead, "another", None):
            """There is room for them."""
    now[0] += ASKS_SECONDS
    with held(bulkhead, "greedy", "greedy", "greedy"), pytest.raises(RateLimited):
        bulkhead.enter("greedy")


def test_whoever_asks_for_anything_is_somebody_else() -> None:
    askers = Askers()
    orders, lists = Bulkhead("orders", BY_TURNS, askers), Bulkhead("requests", BY_TURNS, askers)
    with held(lists, "honest"), held(orders, "greedy"), pytest.raises(RateLimited):
        orders.enter("greedy")


def test_the_last_of_several_has_others_beside_it_and_so_have_they() -> None:
    askers = Askers(lambda: 100.0)
    askers.note("first")
    assert [askers.are_beside(one) for one in ("first", "second", None)] == [False, True, True]
    for asker in ("second", "third", "third", None):
        askers.note(asker)
    assert all(askers.are_beside(one) for one in ("first", "second", "third"))


def test_a_place_rests_once_it_was_used() -> None:
    bulkhead = Bulkhead("pages", Size(worked=1, waiting=0, rest_seconds=SOON))
    began = time.monotonic()
    with held(bulkhead, None):
        """It was used."""
    assert time.monotonic() - began >= SOON


def test_the_place_of_one_who_has_more_waiting_rests_as_long_as_it_was_used_while_others_ask() -> None:
    askers = Askers()
    bulkhead = Bulkhead("orders", replace(BY_TURNS, patience_seconds=30), askers)
    bulkhead.enter("greedy")
    assert bulkhead._pause("greedy", 0.2) == 0
    askers.note("honest")
    waiting = Thread(target=bulkhead.enter, args=("greedy",))
    waiting.start()
    while not bulkhead._waiting:
        """It comes in a moment."""
    assert bulkhead._pause("greedy", 0.2) == 0.2
    assert bulkhead._pause("greedy", 60) < 1
    assert bulkhead._pause("honest", 0.2) == 0
    bulkhead.leave("greedy")
    waiting.join(5)
    assert not waiting.is_alive()


def test_the_networks_that_were_seen_last_are_known() -> None:
    networks = KnownNetworks(most=2)
    for network in ("a", "b", "a", "c"):
        networks.note(network)
    assert [network in networks for network in ("a", "b", "c")] == [True, False, True]


def test_every_kind_is_that_of_a_view() -> None:
    for app, kinds in (
        (gapi_app._described_app()[0], concurrency.KINDS),
        (pulse_app._described_app()[0], places.KINDS),
    ):
        assert kinds.keys() <= app.view_functions.keys()


def test_whatever_stops_something_is_vital() -> None:
    vital = {name for name, kind in concurrency.KINDS.items() if kind is concurrency.Kind.VITAL}
    assert {"orders.cancel_order", "control.pause_order", "control.resume_order", "login.log_out"} <= vital
    assert places.KINDS["revocations.list_news"] is places.Kind.VITAL


@pytest.mark.parametrize("connections", range(1, 60))
def test_calls_that_are_worked_at_once_have_a_connection_each(connections: int) -> None:
    sizes = fitted(SIZES, connections)
    assert all(1 <= size.worked <= SIZES[kind].worked for kind, size in sizes.items())
    held = sum(LOGIN_CONNECTIONS if kind == Kind.LOGINS else size.worked for kind, size in sizes.items())
    # One of each is worked whatever the pool is: with so few connections they wait for each other there.
    assert held <= max(connections, len(SIZES) + LOGIN_CONNECTIONS + connections // 2)
    assert sizes[Kind.VITAL].worked >= min(8, connections // 2)


def test_the_usual_pool_has_a_connection_for_every_call_that_is_worked() -> None:
    assert fitted(SIZES, 38) == SIZES
