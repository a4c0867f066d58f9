"""What all users together still want to be sent, and what of the broker's limits is left for one of them."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import accumulate

from api_contract.kept import Kept
from pulse_core import brokers, db
from pulse_core.brokers import NotConnected
from pulse_core.brokers.port import Broker
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.capacity import capacity, share
from pulse_core.trading.admission.limits import is_on, limits
from pulse_core.trading.store import demand, turns


@dataclass(frozen=True)
class Wanted:
    """The slices of one user that are not sent yet: their minutes in order, and how many there are up to each."""

    minutes: list[datetime]
    up_to: list[int]

    def between(self, since: datetime | None, until: datetime) -> int:
        """How many come due then; `since` None: from whenever."""
        last = bisect_right(self.minutes, until)
        first = 0 if since is None else bisect_left(self.minutes, since)
        before = self.up_to[first - 1] if first else 0
        return max((self.up_to[last - 1] if last else 0) - before, 0)


@dataclass(frozen=True)
class Demand:
    """Of all users, by account; `left_of_day` is what the broker's day has room for, None: any number."""

    by_account: Mapping[str, Wanted]
    left_of_day: int | None


def most_of(broker_account: str, account_id: str, since: datetime | None, until: datetime, now: datetime) -> int | None:
    """How many slices of this user an account at a broker takes between two instants; None: without limits.

    `since` None: from now on, with all that is overdue. As of a second ago. None, too, for one that
    cannot be reached: nothing of it goes out for now. Raises DatabaseUnavailable.
    """
    if not is_on():
        return None
    try:
        broker = brokers.connect(broker_account)
    except NotConnected:
        return None
    wanted = _demand_of(broker).get()
    others = [one.between(since, until) for name, one in wanted.by_account.items() if name != account_id]
    seconds = (until - (since or now)).total_seconds()
    return share(capacity(limits(broker), max(seconds, 0.0), _left(broker, wanted, now, until)), filter(None, others))


def forget() -> None:
    """Look anew when next asked."""
    for one in _demands.values():
        one.forget()


def _demand_of(broker: Broker) -> Kept[Demand]:
    if broker.name not in _demands:
        _demands.setdefault(broker.name, Kept(partial(_read, broker.name)))
    return _demands[broker.name]


def _left(broker: Broker, wanted: Demand, now: datetime, until: datetime) -> int | None:
    if wanted.left_of_day is None:
        return None
    later_days = (broker.limits.day(until) - broker.limits.day(now)).days
    return wanted.left_of_day + later_days * (limits(broker).left_of_day(0) or 0)


def _read(broker_account: str) -> Demand:
    broker = brokers.connect(broker_account)
    with db.statement() as connection:
        rows = demand.wanted(connection, broker.name)
        budget = turns.read(connection, broker.name, admit.KEPT, None)
    by_account: dict[str, dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
    for account_id, minute, slices in rows:
        by_account[account_id][minute] += slices
    calls = 0 if budget is None else admit.calls_of_day(broker, budget)
    return Demand({name: _wanted(minutes) for name, minutes in by_account.items()}, limits(broker).left_of_day(calls))


def _wanted(minutes: Mapping[datetime, int]) -> Wanted:
    in_order = sorted(minutes)
    return Wanted(in_order, list(accumulate(minutes[one] for one in in_order)))


_demands: dict[str, Kept[Demand]] = {}
