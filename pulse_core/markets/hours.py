"""The hours that orders must keep now: the calendars' files, and what operators say of single days.

Every process reads the overrides at most once a second; what one of them says is in force everywhere a second later.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from api_contract.kept import Kept
from api_contract.vocabulary import OrderType, Product
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.config import settings
from pulse_core.markets import files
from pulse_core.markets.calendar import Calendar, DayHours, SpecialDay, Stretch, Terms
from pulse_core.markets.store import overrides

# How long before a phase closes the last slice is planned, and claimed: it has to get there.
LAST_PLANNED = timedelta(seconds=5)
LAST_CLAIMED = timedelta(seconds=1)
# What a process takes for the time and what Postgres says differ by less than this.
_AROUND = timedelta(minutes=3)


@dataclass(frozen=True)
class Opening:
    """A stretch in which an exchange takes orders of one type and product."""

    exchange: str
    terms: Terms
    stretch: Stretch


@dataclass(frozen=True)
class Hours:
    """The calendars of the exchanges whose hours count, and the product of an order that states none.

    Orders of the broker accounts `round_the_clock` need not keep them.
    """

    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    default_product: Product = Product.CNC
    round_the_clock: Collection[str] = frozenset()
    _openings: dict[datetime, list[Opening]] = field(default_factory=dict, compare=False, repr=False)

    def are_kept_by(self, broker_account: str) -> bool:
        """Whether any of them counts for the orders of this account."""
        return bool(self.calendars) and broker_account not in self.round_the_clock

    def calendar_of(self, broker_account: str, instrument: str) -> Calendar | None:
        """None where it may be traded round the clock, as far as is known here."""
        return self.calendars.get(instrument.partition(":")[0]) if self.are_kept_by(broker_account) else None

    def terms(self, order_type: OrderType, product: Product | None) -> Terms:
        return Terms(order_type, product or self.default_product)

    def openings(self, now: datetime) -> list[Opening]:
        """What is open about now, each until shortly before it closes."""
        minute = now.replace(second=0, microsecond=0)
        if minute not in self._openings:
            self._openings[minute] = self._opened(minute - _AROUND, minute + _AROUND)
        return self._openings[minute]

    def _opened(self, since: datetime, until: datetime) -> list[Opening]:
        return [
            Opening(exchange, terms, Stretch(one.start, one.end - LAST_CLAIMED))
            for exchange, calendar in self.calendars.items()
            for terms in _ALL_TERMS
            for one in calendar.between(since, until, terms)
        ]


def is_on() -> bool:
    """Whether any orders have to keep hours: the paper exchange takes them round the clock unless it is told not to."""
    return settings().paper_session == "market" or directory.accounts_known().keys() != {PAPER}


def current() -> Hours:
    """Read at most a second ago. Not inside a transaction: it may take a connection. Raises DatabaseUnavailable."""
    return _kept.get() if is_on() else _ROUND_THE_CLOCK


def forget() -> None:
    """Read them anew when next asked."""
    _kept.forget()


def all_calendars() -> Mapping[str, Calendar]:
    """Every calendar that there is, read now. Not inside a transaction. Raises DatabaseUnavailable."""
    by_exchange: dict[str, dict[date, SpecialDay]] = defaultdict(dict)
    with db.statement() as connection:
        stated = overrides.in_force(connection)
    for one in stated:
        by_exchange[one.exchange][one.day] = special_day(one.reason, one.phases, one.cut_offs)
    return {name: _kept_if_same(Calendar(name, years, by_exchange[name])) for name, years in files.years().items()}


def _kept_if_same(found: Calendar) -> Calendar:
    """The calendar of before where nothing has changed, with the days that it has worked out."""
    before = _calendars.get(found.exchange)
    if before == found:
        return before
    _calendars[found.exchange] = found
    return found


def _read() -> Hours:
    config = settings()
    counted = {name: one for name, one in all_calendars().items() if name in config.pulse_exchanges}
    round_the_clock = {PAPER} if config.paper_session == "always" else frozenset()
    return Hours(counted, Product(config.kite_product), round_the_clock)


def special_day(reason: str, phases: Collection[Mapping[str, object]], cut_offs: Mapping[str, str]) -> SpecialDay:
    """An override as a day. Its cut-offs are the last times themselves, without a lead."""
    hours: DayHours = files.day_hours(phases, cut_offs, timedelta(0))
    return SpecialDay(reason, bool(phases), hours, is_override=True)


_ALL_TERMS = [Terms(order_type, product) for order_type in OrderType for product in Product]
_ROUND_THE_CLOCK = Hours()
_calendars: dict[str, Calendar] = {}
_kept = Kept(_read)
