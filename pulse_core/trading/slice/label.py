"""How slices are named to people who look at their task."""

from collections.abc import Sequence
from itertools import groupby

from pulse_core.trading.store.due_slices import DueSlice


def label(order_id: str, side: str, instrument: str, num_splits: int, quantity: int, sequence_number: int) -> str:
    """One line for one slice, such as `BUY 20 NSE:SBIN · ord_... · 3/20`; one that came later is `21`."""
    number = f"{sequence_number}/{num_splits}" if sequence_number <= num_splits else f"{sequence_number}"
    return f"{side} {quantity} {instrument} · {order_id} · {number}"


def label_of_batch(due: Sequence[DueSlice]) -> str:
    """One line for slices of a batch, such as `3 slices · BUY 20 NSE:SBIN · ord_...`; for a lone one as above."""
    if len(due) == 1:
        one = due[0]
        return label(one.order_id, one.side, one.instrument, one.num_splits, one.quantity, one.sequence_number)
    by_order = groupby(sorted(due, key=lambda one: one.order_id), lambda one: one.order_id)
    return " · ".join([f"{len(due)} slices", *(_of_order(list(of_order)) for _, of_order in by_order)])


def _of_order(due: Sequence[DueSlice]) -> str:
    least, most = min(one.quantity for one in due), max(one.quantity for one in due)
    each = f"{least}" if least == most else f"{least}-{most}"
    return f"{due[0].side} {each} {due[0].instrument} · {due[0].order_id}"
