"""Hold our dated calendars to what brokers say of the days ahead: once a day, and after a login.

Ours stay what orders are held to: a difference is for an operator, who overrides a day, or tells the broker.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core import brokers, db
from pulse_core.brokers import side_by_side
from pulse_core.brokers.adapters import ADAPTERS
from pulse_core.brokers.market_days import TellsMarketDays
from pulse_core.brokers.port import BrokerError
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import PULSE
from pulse_core.markets import hours
from pulse_core.markets.calendar import Calendar
from pulse_core.markets.comparison import Difference, differences
from pulse_core.markets.store import broker_calendars
from pulse_core.markets.store.broker_calendars import Told
from pulse_core.markets.tables import BrokerCalendar
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms, ended_alarms

log = get_logger(__name__)

EVERY, REST = timedelta(days=1), timedelta(minutes=5)
AHEAD = timedelta(days=60)
# So many of them are told in an alarm: more of them are another calendar altogether.
MOST_TOLD = 10


def compare_calendars(now: datetime) -> int:
    """Ask the brokers that are due, and compare what all of them have told; returns how many were asked."""
    asks = {broker: partial(_ask, broker, teller, now) for broker, teller in _tellers().items()}
    asked = side_by_side.run(Task.COMPARE_CALENDARS, asks, patience=None)
    with db.transaction() as session:
        told = broker_calendars.every_broker(session)
    calendars = hours.all_calendars() if told else {}
    for broker in told:
        with db.transaction() as session:
            _compare(session, broker_calendars.lock(session, broker), calendars, now)
    return asked


def _tellers() -> Mapping[str, TellsMarketDays]:
    found: dict[str, TellsMarketDays] = {}
    for broker, adapter in brokers.adapters_by_broker():
        if isinstance(adapter, TellsMarketDays):
            found.setdefault(broker, adapter)
    return found


def _ask(broker: str, teller: TellsMarketDays, now: datetime) -> int:
    with db.transaction() as session:
        if not broker_calendars.take_turn(session, broker, EVERY, REST):
            return 0
    today = _today(broker, now)
    try:
        days = teller.market_days(today, today + AHEAD)
        ahead = _clock_ahead(teller)
    except BrokerError as error:
        log.warning("calendar not told", broker=broker, reason=str(error))
        with db.transaction() as session:
            broker_calendars.note_failure(session, broker, str(error))
        return 1
    rows = [[one.day.isoformat(), f"{one.opens:%H:%M}", f"{one.closes:%H:%M}"] for one in days]
    with db.transaction() as session:
        told = Told(teller.market_exchanges, today, today + AHEAD, rows, ahead)
        broker_calendars.keep(session, broker, told)
    return 1


def _clock_ahead(teller: TellsMarketDays) -> float:
    """Seconds that the broker's clock is ahead of Postgres's: it was read in the middle of the call, more or less."""
    before = utcnow()
    told = teller.market_time()
    return round((told - (before + (utcnow() - before) / 2)).total_seconds(), 3)


def _compare(session: Session, row: BrokerCalendar, calendars: Mapping[str, Calendar], now: datetime) -> None:
    if row.first_day is None or row.last_day is None:
        return
    told = {date.fromisoformat(day): f"{opens}-{closes}" for day, opens, closes in row.days}
    since = max(row.first_day, _today(row.broker, now))
    served = settings().pulse_exchanges & set(row.exchanges) & calendars.keys()
    each = [one for name in sorted(served) for one in differences(calendars[name], told, since, row.last_day)]
    found = _by_day(each)
    if found == row.differences:
        return
    is_news = any(one not in row.differences for one in found)
    broker_calendars.note_differences(session, row.broker, found)
    if is_news:
        _alarm(session, row.broker, found, now)
    if not found:
        ended_alarms.resolve_of_subject(session, AlarmCode.CALENDAR_DIFFERS, row.broker, PULSE, now)


def _by_day(each: Sequence[Difference]) -> list[dict[str, Any]]:
    """Exchanges of one market differ alike."""
    exchanges: dict[tuple[date, str, str], list[str]] = defaultdict(list)
    for one in each:
        exchanges[one.day, one.ours, one.told].append(one.exchange)
    return [
        {"day": day.isoformat(), "exchanges": names, "ours": ours, "told": told}
        for (day, ours, told), names in sorted(exchanges.items())
    ]


def _alarm(session: Session, broker: str, found: Sequence[dict[str, Any]], now: datetime) -> None:
    code = AlarmCode.CALENDAR_DIFFERS
    detail = {"broker": broker, "count": len(found), "differences": list(found[:MOST_TOLD])}
    alarms.raise_alarm(session, code, now, detail, subject=broker)
    log.error("alarm raised", alarm=code.meaning, code=code, broker=broker, count=len(found), first=found[0])


def _today(broker: str, now: datetime) -> date:
    return now.astimezone(ADAPTERS[broker].limits.time_zone).date()
