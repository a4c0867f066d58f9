"""What one account may have open and may do: no order is accepted that passes a limit or cannot be worked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from api_contract.errors import RiskLimit
from api_contract.risk_rules import LimitName, RiskLimits
from api_contract.vocabulary import Product
from pulse_core import brokers
from pulse_core.brokers import quotes
from pulse_core.brokers.port import BookUnavailable
from pulse_core.config import settings
from pulse_core.risk import limits as risk_limits
from pulse_core.risk import rules
from pulse_core.risk.days import day_of
from pulse_core.risk.rules import Terms
from pulse_core.trading import prices
from pulse_core.trading.admission import demand
from pulse_core.trading.store import day_used, new_orders
from pulse_core.trading.store.day_used import Used
from pulse_core.trading.store.room import NO_CAP, DayRoom, Load, Room
from pulse_core.trading.tables import Order

# So long a client waits for a price on which a limit depends; what is not known then is looked at by each slice.
PRICE_WAIT = 0.3
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    """What an order is held to: the limits of its account, and the last price where one of them depends on it.

    `usual_volume` is what is traded of its instrument on a usual day, where a limit depends on that, None where it is
    not known.
    """

    limits: RiskLimits
    last_price: Decimal | None = None
    usual_volume: int | None = None


def standing_of(account_id: str, broker_account: str, instrument: str, limit_price: Decimal | None) -> Standing:
    """What an order with these terms is held to. Waits for a price for a moment at most, and does without it then.

    Not inside a transaction. Raises DatabaseUnavailable.
    """
    limits = risk_limits.of(account_id, broker_account)
    last_price = _last_price(broker_account, instrument) if rules.needs_price(limits, limit_price) else None
    usual = None if limits.volume_share_percent is None else prices.usual_volume(instrument)
    return Standing(limits, last_price, usual)


def check_terms(order: dict[str, Any], standing: Standing) -> None:
    """Raise RiskLimit for a new order that passes a limit by itself, whatever else its account does."""
    if standing.limits != rules.NO_LIMITS:
        product = order["product"] or _default_product()
        limit_price, last_price = order["limit_price"], standing.last_price
        terms = Terms(order["instrument"], product, order["total_quantity"], limit_price, last_price)
        rules.check_terms(standing.limits, terms)
        rules.check_share(standing.limits, order["total_quantity"], standing.usual_volume)


def check_change(
    session: Session,
    order: Order,
    standing: Standing,
    total_quantity: int,
    limit_price: Decimal | None,
    now: datetime,
) -> None:
    """Raise RiskLimit where a locked order would pass a limit with these terms in place of its own.

    `standing` is what `standing_of` told before the transaction. Other orders of the account wait until it ends, so
    that none of them takes what this one is given.
    """
    limits = standing.limits
    if limits == rules.NO_LIMITS:
        return
    product, price = order.product or _default_product(), standing.last_price or order.reckoned_price
    terms = Terms(order.instrument, product, total_quantity, limit_price, price)
    rules.check_terms(limits, terms)
    rules.check_share(limits, total_quantity, standing.usual_volume)
    if rules.has_day(limits):
        day_used.wait_for_others(session, order.account_id)
        day = day_of(order.broker_account, order.start_at)
        used = day_used.read(session, order.account_id, day, now, left_out=order.id)
        rules.check_day(limits, used.day, total_quantity, terms.worth)


def room_for(order: dict[str, Any], standing: Standing, now: datetime) -> Room | None:
    """How much there is for this new order, as far as its account is not asked; None: as much as anybody wants.

    Raises DatabaseUnavailable.
    """
    config = settings()
    room = replace(
        window_room(order["broker"], order["account_id"], order["start_at"], order["end_at"], now),
        most_orders=standing.limits.open_orders or config.open_orders_per_account or NO_CAP,
        most_slices=config.open_slices_per_account or NO_CAP,
    )
    of_day = _room_of_day(order, standing.limits)
    is_any = {room.most_orders, room.most_slices, room.most_due} == {NO_CAP}
    return None if is_any and of_day is None else replace(room, of_day=of_day)


def window_room(broker_account: str, account_id: str, start_at: datetime, end_at: datetime, now: datetime) -> Room:
    """How many slices of an account can get out in a window; as of a second ago. Not inside a transaction.

    Raises DatabaseUnavailable.
    """
    since = start_at if start_at > now else None
    most_due = demand.most_of(broker_account, account_id, since, end_at, now) if settings().check_windows else None
    return Room(NO_CAP, NO_CAP, NO_CAP if most_due is None else most_due, due_since=since or _EVER, due_by=end_at)


def check_window(session: Session, order: Order, room: Room, asked: int, now: datetime) -> None:
    """Raise RiskLimit where `asked` unsent slices of a locked order, as it was changed, cannot get out in its window.

    `room` is what `window_room` told before the transaction. Other orders of the account wait until it ends.
    """
    if room.most_due == NO_CAP:
        return
    day_used.wait_for_others(session, order.account_id)
    load = new_orders.load_of(session.connection(), order.account_id, 0, room, now)
    if load.due > room.most_due:
        raise _too_many(room, replace(load, due=load.due - asked), asked)


def refusal(room: Room, load: Load, order: dict[str, Any]) -> RiskLimit:
    """Which limit an order would have passed, with the numbers."""
    asked = order["num_splits"]
    if load.orders >= room.most_orders:
        message = f"the account has {load.orders} open orders, and may have {room.most_orders}"
        return rules.refusal(LimitName.OPEN_ORDERS, room.most_orders, load.orders, 1, message)
    if load.slices + asked > room.most_slices:
        message = (
            f"the account has {load.slices} unsent slices, and may have {room.most_slices}: {asked} more do not fit"
        )
        return rules.refusal("open_slices", room.most_slices, load.slices, asked, message)
    if room.of_day is not None and load.used is not None:
        refused = _refusal_of_day(room.of_day, load.used, order)
        if refused is not None:
            return refused
    return _too_many(room, load, asked)


def _too_many(room: Room, load: Load, asked: int) -> RiskLimit:
    message = (
        f"{asked} slices cannot get out in this window: at the broker's limits it has room for {room.most_due} of this"
        f" account, and {load.due} are accepted already"
    )
    return rules.refusal("window", room.most_due, load.due, asked, message)


def _room_of_day(order: dict[str, Any], limits: RiskLimits) -> DayRoom | None:
    if not rules.has_day(limits) and limits.orders_per_minute is None:
        return None
    price = order["limit_price"] or order["reckoned_price"]
    day = day_of(order["broker"], order["start_at"])
    # Nothing is looked up of a day that nothing is limited of.
    looked_at = day if rules.has_day(limits) else replace(day, ends=day.began)
    return DayRoom(limits, looked_at, None if price is None else price * order["total_quantity"])


def _refusal_of_day(room: DayRoom, used: Used, order: dict[str, Any]) -> RiskLimit | None:
    most, placed = room.limits.orders_per_minute, used.placed
    if most is not None and placed >= most:
        message = f"the account has placed {placed} orders within a minute, and may place {most}"
        return rules.refusal(LimitName.ORDERS_PER_MINUTE, most, placed, 1, message)
    try:
        rules.check_day(room.limits, used.day, order["total_quantity"], room.worth)
    except RiskLimit as refused:
        return refused
    return None


def _last_price(broker_account: str, instrument: str) -> Decimal | None:
    try:
        told = quotes.of(brokers.connect(broker_account))
    except BookUnavailable:
        return None
    quote = None if told is None else told.latest([instrument], PRICE_WAIT).get(instrument)
    return None if quote is None else quote.last_price


def _default_product() -> Product:
    return Product(settings().kite_product)
