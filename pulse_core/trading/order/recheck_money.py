"""Orders that are held for want of money or shares: ask the broker whether there are some now, and let them go on.

An account is asked by one process at a time, and not more often than EVERY, about several orders at once. Who has
waited longest is looked at first. What one order is let go with is not there for the next.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import HoldReason, OrderStatus, ReplanCause
from pulse_core import db, queue
from pulse_core.batching import for_each
from pulse_core.broker_accounts.store import states
from pulse_core.brokers import side_by_side
from pulse_core.brokers.money import NotTold
from pulse_core.brokers.port import Placement
from pulse_core.events.names import PULSE
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.tasks import Task
from pulse_core.trading.order.costs import Teller, teller
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.replanning import replan
from pulse_core.trading.store import holds, orders, promised, schedules, slices
from pulse_core.trading.store.holds import Short
from pulse_core.trading.store.schedules import Retimed
from pulse_core.trading.tables import Order

log = get_logger(__name__)

EVERY = timedelta(seconds=10)
TOGETHER = 20
# A broker that did not tell is asked about an order again after this.
UNTOLD = timedelta(minutes=1)
# The first slice of an order that was let go has so long to be refused before the next one is due.
TRIAL = timedelta(seconds=2)


def recheck_money(now: datetime) -> int:
    """Ask about what is held at each account; returns how many orders were looked at."""
    with db.transaction() as session:
        accounts = holds.accounts_short(session, now)
    deeds = {name: partial(_recheck, name, now) for name in accounts}
    return side_by_side.run(Task.RECHECK_MONEY, deeds, side_by_side.PATIENCE if len(deeds) > 1 else None)


def _recheck(broker_account: str, now: datetime) -> int:
    with db.transaction() as session:
        if not states.take_question(session, broker_account, now, EVERY):
            return 0
        waiting = holds.short(session, broker_account, now, TOGETHER)
    asked = teller(broker_account)
    granted, untold = set[str](), set[str]()
    for reason, ask in ((HoldReason.FUNDS, _with_margins), (HoldReason.HOLDINGS, _with_shares)):
        of_reason = [one for one in waiting if one.hold is reason]
        if not of_reason:
            continue
        try:
            granted |= set(ask(asked, broker_account, of_reason, untold))
        except NotTold as error:
            untold |= {one.order_id for one in of_reason}
            log.info("broker not told", broker_account=broker_account, reason=str(error))
    known = hours.current()
    for_each(waiting, lambda one: _answer(one, known, now, granted, untold))
    return len(waiting)


def _with_margins(asked: Teller, _name: str, waiting: Sequence[Short], untold: set[str]) -> Iterator[str]:
    """Those whose next slice's margin is there, each beside the others. Raises NotTold."""
    left = asked.funds()
    for one, margin in zip(waiting, _margins(asked, waiting), strict=True):
        if isinstance(margin, NotTold):
            untold.add(one.order_id)
        elif margin <= left:
            left -= margin
            yield one.order_id


def _margins(asked: Teller, waiting: Sequence[Short]) -> Sequence[Decimal | NotTold]:
    try:
        return [one.margin for one in asked.costs([_placement(one) for one in waiting])]
    except NotTold:
        # One that the broker does not even reckon must not stand in the way of the others.
        return [_margin(asked, one) for one in waiting]


def _margin(asked: Teller, one: Short) -> Decimal | NotTold:
    try:
        return asked.costs([_placement(one)])[0].margin
    except NotTold as error:
        return error


def _placement(one: Short) -> Placement:
    return Placement("", one.instrument, one.side, one.quantity, one.limit_price, one.product)


def _with_shares(asked: Teller, name: str, waiting: Sequence[Short], _untold: set[str]) -> Iterator[str]:
    """Those whose next slice's shares are there, without what is at the broker to be sold. Raises NotTold."""
    instruments = sorted({one.instrument for one in waiting})
    free = dict(asked.holdings(instruments))
    with db.statement() as connection:
        for instrument, offered in promised.on_offer(connection, name, instruments).items():
            free[instrument] -= offered
    for one in waiting:
        if one.quantity <= free[one.instrument]:
            free[one.instrument] -= one.quantity
            yield one.order_id


def _answer(one: Short, known: Hours, now: datetime, granted: Collection[str], untold: Collection[str]) -> None:
    """Let the order go on, or look at it again later, unless it has gone on by itself."""
    with db.transaction() as session:
        order = orders.lock(session, one.order_id)
        if order is None or (order.hold, order.held_since) != (one.hold, one.held_since):
            return
        if one.order_id not in granted or order.status is not OrderStatus.IN_PROGRESS:
            holds.ask_again(session, order, now + (UNTOLD if one.order_id in untold else EVERY))
            return
        holds.release(session, order, now, PULSE)
        replan(session, order, ReplanCause.RELEASED, known, now)
        _try_one(session, order, now)
        roll_up(session, order, now)
        queue.wake_after_commit(session, Task.DISPATCH_DUE_SLICES)


def _try_one(session: Session, order: Order, now: datetime) -> None:
    """What would come at once with the first slice waits until that one is answered, as far as the window lasts."""
    in_turn = sorted(slices.unsent(session, order.id), key=lambda one: (one.due_at, one.sequence_number))
    if not in_turn:
        return
    earliest = min(in_turn[0].due_at + TRIAL, order.end_at)
    early = [one for one in in_turn[1:] if one.due_at < earliest]
    schedules.retime(session, [Retimed(one.id, earliest, one.quantity) for one in early], now)
