"""What one account may have open, so that no order is accepted that cannot be worked, and none takes others' turns."""

from datetime import UTC, datetime
from typing import Any

from api_contract.errors import RiskLimit
from pulse_core.config import settings
from pulse_core.trading.admission import demand
from pulse_core.trading.store.orders import NO_CAP, Load, Room

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


def room_for(order: dict[str, Any], now: datetime) -> Room | None:
    """How much there is for this new order, as far as its account is not asked; None: as much as anybody wants.

    Raises DatabaseUnavailable.
    """
    config = settings()
    since = order["start_at"] if order["start_at"] > now else None
    most_due = (
        demand.most_of(order["broker"], order["account_id"], since, order["end_at"], now)
        if config.check_windows
        else None
    )
    room = Room(
        most_orders=config.open_orders_per_account or NO_CAP,
        most_slices=config.open_slices_per_account or NO_CAP,
        most_due=NO_CAP if most_due is None else most_due,
        due_since=since or _EVER,
        due_by=order["end_at"],
    )
    return None if {room.most_orders, room.most_slices, room.most_due} == {NO_CAP} else room


def refusal(room: Room, load: Load, asked: int) -> RiskLimit:
    """Which cap an order of so many slices would have passed, with the numbers."""
    if load.orders >= room.most_orders:
        message = f"the account has {load.orders} open orders, and may have {room.most_orders}"
        return _refusal(message, "open_orders", room.most_orders, load.orders, 1)
    if load.slices + asked > room.most_slices:
        message = (
            f"the account has {load.slices} unsent slices, and may have {room.most_slices}: {asked} more do not fit"
        )
        return _refusal(message, "open_slices", room.most_slices, load.slices, asked)
    message = (
        f"{asked} slices cannot get out in this window: at the broker's limits it has room for {room.most_due} of this"
        f" account, and {load.due} are accepted already"
    )
    return _refusal(message, "window", room.most_due, load.due, asked)


def _refusal(message: str, limit: str, most: int, accepted: int, asked: int) -> RiskLimit:
    return RiskLimit(message, {"limit": limit, "most": most, "accepted": accepted, "asked": asked})
