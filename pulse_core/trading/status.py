"""The one table of legal moves, and what follows from a status."""

from collections.abc import Mapping
from dataclasses import dataclass

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core.errors import IllegalMove

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


def check_slice_move(seen: SliceStatus, to: SliceStatus) -> None:
    if to not in SLICE_MOVES[seen]:
        raise IllegalMove(f"a slice does not go from {seen} to {to}")


@dataclass(frozen=True)
class SliceMove:
    """A legal move from the status that a slice was seen in. Raises IllegalMove when it is made, for any other."""

    seen: SliceStatus
    to: SliceStatus

    def __post_init__(self) -> None:
        check_slice_move(self.seen, self.to)

    @property
    def statuses(self) -> dict[str, str]:
        """The parameters of a statement that makes the move."""
        return {"from_status": self.seen.value, "to_status": self.to.value}


def check_order_move(seen: OrderStatus, to: OrderStatus) -> None:
    if to not in ORDER_MOVES[seen]:
        raise IllegalMove(f"an order does not go from {seen} to {to}")


def order_result(total_quantity: int, filled_quantity: int) -> OrderResult:
    if filled_quantity >= total_quantity:
        return OrderResult.FILLED
    return OrderResult.PARTIALLY_FILLED if filled_quantity else OrderResult.UNFILLED
