"""The judge of the state machine objects to what breaks the pace of an order, and to nothing else."""

from collections.abc import Iterator

import pytest

from pulse_core.tasks import Task
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.operations import retry_slice
from tests.rigs.stateful.world import World
from tests.support.factories import a_new_order, a_slice, without_pace


@pytest.fixture
def world(clean_database: str) -> Iterator[World]:
    """With an order of nine shares in three slices, of which one may go out in half a minute."""
    found = World(clean_database)
    new_order = a_new_order(total_quantity=9, num_splits=3, duration_minutes=1, max_slice_multiple=1)
    order_id = submit_order(found.account, new_order, found.clock.now).order_id
    split_orders([order_id], found.clock.now)
    yield found
    found.close()


def test_what_the_exchange_has_rejected_goes_out_again_in_the_same_interval(world: World) -> None:
    first = str(world.slices()[0]["id"])
    world.execute(first)
    world.exchange.reject(a_slice(first).broker_order_id or "")
    world.sweep(Task.TRACK_SLICES)
    world.advance(5)

    retry_slice(first, "ops", world.clock.now)
    world.execute(first)

    assert len(world.working()) == 1


def test_slices_that_go_out_together_beyond_the_cap_are_noticed(world: World) -> None:
    world.advance(62)
    without_pace(str(world.orders()[0]["id"]))

    with pytest.raises(AssertionError, match="more goes out in an interval than may"):
        world.execute_together([str(one["id"]) for one in world.slices()], ["accept"] * 3)
