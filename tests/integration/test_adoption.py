"""An order that was taken for absent and shows up after all is in doubt again, from the beginning."""

from datetime import timedelta

from api_contract.vocabulary import SliceStatus
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.resolve import resolve_slices
from tests.support.broker import SimulatedBroker, lose_the_request
from tests.support.factories import a_slice, a_split_order, slices_of


def test_an_adopted_order_that_the_next_reading_misses_is_not_absent_at_once(broker: SimulatedBroker) -> None:
    broker.answers = [lose_the_request]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    now = utcnow()
    resolve_slices(now)
    for _ in range(20):
        now += timedelta(seconds=settings().settle_delay / 10)
        resolve_slices(now)
    assert a_slice(first.id).status is SliceStatus.SCHEDULED
    broker.enter(broker.placements[0])
    reconcile(now)
    broker.book.clear()

    resolve_slices(now)

    assert a_slice(first.id).status is SliceStatus.UNKNOWN
