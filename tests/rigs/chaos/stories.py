"""How an order comes to pass a certain failpoint.

A story is a generator: it runs once while the process that will die is there, and its rest once a successor is.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
import requests

from api_contract.vocabulary import HaltedWorking
from pulse_core import failpoints, queue
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.trading.halts.halting import halt
from pulse_core.trading.order.pause import resume_order
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store.halts import HaltScope
from tests.support.arena import Arena
from tests.support.factories import a_split_order, an_order, order, slices_of
from tests.support.processes import wait_until

WINDOW = timedelta(minutes=1)
STATED = {"num_splits": 2, "duration_minutes": 1, "total_quantity": 7}
AMENDED_TO = 9


class WorkerDied(BaseException):
    """Ends a call of a service in this process where a worker would die."""


def placed_over_http(arena: Arena, instrument: str) -> Iterator[None]:
    """The client repeats its request until it has an answer; then the window is moved, to save a minute."""
    split = {"num_splits": 2, "duration_minutes": 1, "randomize": False}
    body = {"order_unique_key": instrument, "instrument": instrument, "side": "BUY", "total_quantity": 7}
    arena.ask("POST", "/internal/orders", {**body, "split_config": split})
    yield
    answer = arena.ask("POST", "/internal/orders", {**body, "split_config": split})
    assert answer is not None
    assert answer.status_code in (200, 201), answer.text
    arena.make_due(answer.json()["order_id"])


def cancelled_over_http(arena: Arena, instrument: str) -> Iterator[None]:
    """One slice rests at the exchange and one is not due yet when the client cancels."""
    order_id = _resting(arena, instrument)
    arena.ask("DELETE", f"/internal/orders/{order_id}")
    yield
    _cancel(arena, order_id)


def amended_over_http(arena: Arena, instrument: str) -> Iterator[None]:
    """One slice rests at the exchange and one is not due yet when the client asks for more; he asks until it is so."""
    order_id = _resting(arena, instrument)
    _amend(arena, order_id)
    yield
    answer = _amend(arena, order_id)
    assert answer is not None
    assert answer.status_code == 200, answer.text
    assert sum(one.quantity for one in slices_of(order_id)) == order(order_id).total_quantity == AMENDED_TO
    _cancel(arena, order_id)


def halted_over_http(arena: Arena, instrument: str) -> Iterator[None]:
    """One slice rests at the exchange and one is not due yet when somebody halts the instrument, and releases it."""
    order_id = _resting(arena, instrument)
    asked = {"instrument": instrument, "reason": "prices make no sense"}
    arena.ask("POST", "/internal/halt", asked)
    yield
    answer = arena.ask("POST", "/internal/halt", asked)
    assert answer is not None
    assert answer.status_code in (200, 201), answer.text
    wait_until(lambda: slices_of(order_id)[0].status == "CANCELLED", 60, "a slice that was called back")
    _release(arena, answer.json()["halt_id"], order_id)


def released_over_http(arena: Arena, instrument: str) -> Iterator[None]:
    """The halt of an instrument is released, with one slice at the exchange and one not due yet."""
    order_id = _resting(arena, instrument)
    owner, scope = OneAccount(arena.account), HaltScope(instrument=instrument)
    made, _ = halt(owner, scope, HaltedWorking.KEEP, "lunch", arena.account, utcnow())
    arena.ask("POST", f"/internal/halt/{made.halt_id}/release")
    yield
    _release(arena, made.halt_id, order_id)


def accepted(arena: Arena, instrument: str) -> Iterator[None]:
    """An order waits to be split."""
    an_order(utcnow() - WINDOW, arena.account, instrument=instrument, **STATED)
    yield


def split(arena: Arena, instrument: str) -> Iterator[None]:
    """Both slices of an order are due."""
    a_split_order(utcnow() - WINDOW, arena.account, instrument=instrument, **STATED)
    yield


def coming_up(arena: Arena, instrument: str) -> Iterator[None]:
    """A slice will come into the horizon in a second."""
    a_split_order(utcnow() - WINDOW + timedelta(seconds=11), arena.account, instrument=instrument, **STATED)
    yield


def suffering(arena: Arena, instrument: str, fault: str, **details: float) -> Iterator[None]:
    """Both slices are due, and the exchange has a fault in store for each."""
    arena.add_fault(fault, instrument, **details)
    yield from split(arena, instrument)


def refused_both(arena: Arena, instrument: str) -> Iterator[None]:
    """The exchange refuses both slices. If the first holds the order, somebody lets it go on with the other."""
    arena.add_fault("refuse", instrument)
    order_id = a_split_order(utcnow() - WINDOW, arena.account, instrument=instrument, **STATED)
    yield
    wait_until(lambda: order(order_id).status == "DONE" or order(order_id).hold, 60, "the refusals")
    if order(order_id).hold:
        # The refused slice is not sent again: refused before the other is under way, it would hold the order again.
        resume_order(OneAccount(arena.account), order_id, arena.account, utcnow())


def left_behind(arena: Arena, instrument: str, point: str) -> Iterator[None]:
    """A worker has died with the claim on a slice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "wake", lambda *_args, **_kwargs: None)
        patch.setitem(failpoints.actions, point, _die)
        # Until its slice counts as overdue nobody else takes it; on a busy machine that may be too short.
        wait_until(lambda: _left_by_the_dead(arena, instrument), 30, "a claim of a dead worker")
    yield


def retried(arena: Arena, instrument: str) -> Iterator[None]:
    """A slice was refused, and an operator asks for another attempt, twice."""
    order_id = a_split_order(utcnow(), arena.account, instrument=instrument, **{**STATED, "duration_minutes": 60})
    # Once something of an order was taken, a refusal spends its slice, and holds nothing.
    wait_until(lambda: slices_of(order_id)[0].status in ("WORKING", "FILLED"), 60, "a slice that was taken")
    arena.add_fault("refuse", instrument, count=1)
    arena.make_due(order_id, by=timedelta(hours=1))
    wait_until(lambda: order(order_id).status == "DONE", 30, "an order with a refused slice")
    (refused,) = (one.id for one in slices_of(order_id) if one.status == "REJECTED")
    ask = partial(queue.app().send_task, "pulse.retry_slice", (refused,))
    ask()
    yield
    ask()
    wait_until(lambda: order(order_id).filled_quantity == 7, 30, "the retried slice's fill")


def _resting(arena: Arena, instrument: str) -> str:
    """The id of an order whose first slice works at the exchange, and whose second one is not due yet."""
    arena.add_fault("open_pending", instrument, seconds=3600)
    stated = {**STATED, "duration_minutes": 60, "slice_timeout_seconds": 3600}
    order_id = a_split_order(utcnow(), arena.account, instrument=instrument, **stated)
    # Whoever else is splitting it at that moment may not be done.
    wait_until(lambda: [one.status for one in slices_of(order_id)][:1] == ["WORKING"], 30, "a working slice")
    return order_id


def _amend(arena: Arena, order_id: str) -> requests.Response | None:
    changes = {"total_quantity": AMENDED_TO, "duration_minutes": 90}
    return arena.ask("PATCH", f"/internal/orders/{order_id}", changes, **{"If-Match": "*"})


def _cancel(arena: Arena, order_id: str) -> None:
    answer = arena.ask("DELETE", f"/internal/orders/{order_id}")
    assert answer is not None
    assert answer.status_code == 202, answer.text


def _release(arena: Arena, halt_id: str, order_id: str) -> None:
    def is_released() -> bool:
        answer = arena.ask("POST", f"/internal/halt/{halt_id}/release")
        return answer is not None and answer.json().get("status") == "RELEASED"

    wait_until(is_released, 60, "a release")
    _cancel(arena, order_id)


def _left_by_the_dead(arena: Arena, instrument: str) -> bool:
    order_id = a_split_order(utcnow(), arena.account, instrument=instrument, **STATED)
    try:
        execute_slice(slices_of(order_id)[0].id)
    except WorkerDied:
        return True
    finally:
        arena.make_due(order_id)
    return False


def _die() -> None:
    raise WorkerDied
