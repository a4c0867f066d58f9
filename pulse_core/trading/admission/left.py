"""What is left of the budget of the broker's account."""

from collections.abc import Mapping
from datetime import datetime

from pulse_core import db
from pulse_core.brokers.port import Broker
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import SECOND, is_on, limits
from pulse_core.trading.admission.windows import count_within
from pulse_core.trading.store import turns


def budget_left(broker: Broker, now: datetime | None = None) -> Mapping[str, int] | None:
    """How many placements there is room for, by window: second, minute, day. None without limits or before any turn.

    By the database's clock, unless a test gives an instant. Raises DatabaseUnavailable.
    """
    if not is_on():
        return None
    with db.statement() as connection:
        budget = turns.read(connection, broker.name, admit.KEPT, now)
    if budget is None:
        return None
    names = ("second", "minute")
    windows = {
        # Of the window that ends a second from now, with the turns that were given for it.
        name: max(window.most - count_within(budget.taken, SECOND - window.length, SECOND), 0)
        for name, window in zip(names, limits(broker).of_placements(), strict=False)
    }
    left = limits(broker).left_of_day(admit.calls_of_day(broker, budget))
    return windows if left is None else windows | {"day": left}
