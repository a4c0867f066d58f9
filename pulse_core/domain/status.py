"""The one table of legal moves, and what follows from a status."""

from collections.abc import Mapping

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core.domain.errors import IllegalMove

SLICE_MOVES: Mapping[SliceStatus, frozenset[SliceStatus]] = {
    SliceStatus.SCHEDULED: frozenset(
        {SliceStatus.SENDING, SliceStatus.UNKNOWN, SliceStatus.SKIPPED, SliceStatus.CANCELLED}
    ),
    SliceStatus.SENDING: frozenset(
        {SliceStatus.WORKING, SliceStatus.REJECTED, SliceStatus.FAILED, SliceStatus.SCHEDULED, SliceStatus.UNKNOWN}
    ),
    SliceStatus.UNKNOWN: frozenset(
        {SliceStatus.WORKING, SliceStatus.SCHEDULED, SliceStatus.FAILED, SliceStatus.REJECTED}
        | {SliceStatus.FILLED, SliceStatus.EXPIRED}
    ),
    SliceStatus.WORKING: frozenset(
        {SliceStatus.FILLED, SliceStatus.CANCELLED, SliceStatus.REJECTED, SliceStatus.EXPIRED}
    ),
    SliceStatus.REJECTED: frozenset({SliceStatus.SCHEDULED}),
    SliceStatus.FAILED: frozenset({SliceStatus.SCHEDULED}),
    SliceStatus.FILLED: frozenset(),
    SliceStatus.CANCELLED: frozenset(),
    SliceStatus.EXPIRED: frozenset(),
    SliceStatus.SKIPPED: frozenset(),
}

ORDER_MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset({OrderStatus.IN_PROGRESS, OrderStatus.SKIPPED, OrderStatus.CANCELLED}),
    OrderStatus.IN_PROGRESS: frozenset({OrderStatus.PAUSED, OrderStatus.CANCELLING, OrderStatus.DONE}),
    OrderStatus.PAUSED: frozenset({OrderStatus.IN_PROGRESS, OrderStatus.CANCELLING, OrderStatus.DONE}),
    OrderStatus.CANCELLING: frozenset({OrderStatus.CANCELLED}),
    OrderStatus.DONE: frozenset({OrderStatus.IN_PROGRESS}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.SKIPPED: frozenset(),
}

FINAL_SLICES = frozenset(
    {
        SliceStatus.FILLED,
        SliceStatus.CANCELLED,
        SliceStatus.REJECTED,
        SliceStatus.EXPIRED,
        SliceStatus.FAILED,
        SliceStatus.SKIPPED,
    }
)
FINAL_ORDERS = frozenset({OrderStatus.DONE, OrderStatus.CANCELLED, OrderStatus.SKIPPED})


def check_slice_move(seen: SliceStatus, to: SliceStatus) -> None:
    if to not in SLICE_MOVES[seen]:
        raise IllegalMove(f"a slice does not go from {seen} to {to}")


def check_order_move(seen: OrderStatus, to: OrderStatus) -> None:
    if to not in ORDER_MOVES[seen]:
        raise IllegalMove(f"an order does not go from {seen} to {to}")


def order_result(total_quantity: int, filled_quantity: int) -> OrderResult:
    if filled_quantity >= total_quantity:
        return OrderResult.FILLED
    return OrderResult.PARTIALLY_FILLED if filled_quantity else OrderResult.UNFILLED
