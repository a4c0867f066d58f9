"""Refusals that no task ended with: the book shows them after the order was taken, or no message placed the slice."""

from collections.abc import Collection, Mapping

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import db, queue
from pulse_core.tasks import Task
from pulse_core.trading.slice.label import label
from pulse_core.trading.store import slices
from pulse_core.trading.tables import Order, OrderSlice


def show_refusal(session: Session, order: Order, one: OrderSlice) -> None:
    """Have a task end with the broker's words once this is committed, for those who look at the tasks.

    It finds nothing to send, and may be lost: the slice says the same.
    """
    shown = label(order.id, order.side, order.instrument, order.num_splits, one.quantity, one.sequence_number)
    queue.wake_after_commit(session, Task.EXECUTE_SLICE, one.id, shown=shown)


def show_refusals(slice_ids: Collection[str]) -> None:
    """Do so for those of the slices that are REJECTED. Raises DatabaseUnavailable."""
    with db.transaction() as session:
        for one, order in slices.with_orders(session, slice_ids, SliceStatus.REJECTED):
            show_refusal(session, order, one)


def refusals_of(slice_ids: Collection[str]) -> Mapping[str, str]:
    """Why the broker refused those of the slices that are REJECTED, in its words. Raises DatabaseUnavailable."""
    with db.transaction() as session:
        found = slices.with_orders(session, slice_ids, SliceStatus.REJECTED)
    return {one.id: ": ".join(filter(None, (one.error_code, one.error_message))) for one, _ in found}
