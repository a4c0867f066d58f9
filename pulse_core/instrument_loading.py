"""Load what each broker lists, once a day and when somebody asks: by one worker, as a whole or not at all."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import uuid4

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import LoadOutcome
from pulse_core import brokers, db
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.brokers import side_by_side
from pulse_core.brokers.adapters import ADAPTERS
from pulse_core.brokers.instruments import Listing, ListsInstruments, ListUnavailable
from pulse_core.config import settings
from pulse_core.errors import LostRace
from pulse_core.events.names import PULSE
from pulse_core.instruments import current, order_caps
from pulse_core.instruments.completeness import why_refused
from pulse_core.instruments.listed import Listed
from pulse_core.instruments.store import instruments, loads
from pulse_core.instruments.store.loads import Begun, Rests
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms, ended_alarms

log = get_logger(__name__)

# Longer than a list takes: who has not ended by then is gone.
LEASE = timedelta(minutes=3)
# At once: its exchange may start together with this process. Later: somebody may have to log in first.
RESTS = Rests(least=timedelta(seconds=5), most=timedelta(minutes=10))
# That of the one before is for processes that have not heard of the newest yet.
KEPT_LISTS = 2
LONGEST_REASON = 300


def load_instruments(now: datetime) -> int:
    """Load the lists that are due or were asked for, as far as no other worker does; returns how many there were."""
    lists = {broker: partial(_load, broker, lister, now) for broker, lister in _listers().items()}
    return side_by_side.run(Task.LOAD_INSTRUMENTS, lists, patience=None)


def _listers() -> Mapping[str, ListsInstruments]:
    """Who tells what can be traded with each broker: all of its accounts trade the same."""
    found: dict[str, ListsInstruments] = {}
    for broker, adapter in brokers.adapters_by_broker():
        if isinstance(adapter, ListsInstruments):
            found.setdefault(broker, adapter)
    return found


def _load(broker: str, lister: ListsInstruments, now: datetime) -> int:
    with db.statement() as connection:
        time_zone = str(ADAPTERS[broker].limits.time_zone)
        loads.ask_daily(connection, broker, PULSE, settings().instruments_ready_at, time_zone, RESTS)
        begun = loads.begin(connection, broker, str(uuid4()), LEASE)
    if begun is None:
        return 0
    try:
        _bring_in(begun, lister, now)
    except LostRace as lost:
        # The list of whoever took over is in force, or will be.
        log.warning("instruments left to another worker", broker=broker, reason=lost.message)
    return 1


def _bring_in(begun: Begun, lister: ListsInstruments, now: datetime) -> None:
    try:
        listing = lister.instruments(settings().pulse_exchanges)
    except ListUnavailable as error:
        _give_up(begun, LoadOutcome.FAILED, str(error), now)
    else:
        _take_in(begun, listing, now)


def _take_in(begun: Begun, listing: Listing, now: datetime) -> None:
    listed = _with_caps(begun.broker, listing)
    with db.transaction() as session:
        accepts_smaller = loads.lock(session, begun)
        left = {} if accepts_smaller else _left(session, begun.broker, now)
        refused = why_refused(listed, left)
        if refused is None:
            instruments.add(session, begun.id, begun.broker, listed)
            loads.end(session, begun, LoadOutcome.LOADED, len(listed), listing.skipped)
            ended_alarms.resolve_of_subject(session, AlarmCode.INSTRUMENTS_STALE, begun.broker, PULSE, now)
    if refused is not None:
        _give_up(begun, LoadOutcome.REFUSED, refused, now)
        return
    current.forget()
    log.info("instruments loaded", broker=begun.broker, load_id=begun.id, count=len(listed), skipped=listing.skipped)
    _forget_old(begun.broker)


def _left(session: Session, broker: str, now: datetime) -> dict[str, int]:
    """How many instruments of the list in force are still to be there, of the exchanges that are served now."""
    in_force = loads.latest_loaded(session, broker, 1)
    today = now.astimezone(ADAPTERS[broker].limits.time_zone).date()
    counts = instruments.count_left(session, in_force[0], today) if in_force else {}
    return {exchange: count for exchange, count in counts.items() if exchange in settings().pulse_exchanges}


def _with_caps(broker: str, listing: Listing) -> list[Listed]:
    caps = order_caps.caps_of(broker)
    if caps is None:
        return [order_caps.uncapped(one) for one in listing.instruments]
    stated = caps.with_freeze(settings().freeze_quantities or ())
    return [stated.listed(one) for one in listing.instruments]


def _forget_old(broker: str) -> None:
    with db.transaction() as session:
        kept = loads.latest_loaded(session, broker, KEPT_LISTS)
        instruments.forget_before(session, broker, kept[-1])


def _give_up(begun: Begun, outcome: LoadOutcome, reason: str, now: datetime) -> None:
    """Leave the list of before in force, and tell operators."""
    shown = reason[:LONGEST_REASON]
    with db.transaction() as session:
        loads.end(session, begun, outcome, reason=shown)
        # Without a list a paper exchange takes what it always took; with real money that is worth a look.
        if begun.broker != PAPER or loads.latest_loaded(session, begun.broker, 1):
            _alarm(session, begun, outcome, shown, now)
    log.warning("instruments not loaded", broker=begun.broker, load_id=begun.id, outcome=outcome, reason=shown)


def _alarm(session: Session, begun: Begun, outcome: LoadOutcome, reason: str, now: datetime) -> None:
    detail = {"broker": begun.broker, "load_id": begun.id, "outcome": outcome.value, "reason": reason}
    alarms.raise_alarm(session, AlarmCode.INSTRUMENTS_STALE, now, detail, subject=begun.broker)
