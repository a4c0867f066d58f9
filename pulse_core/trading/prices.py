"""Read what instruments stand at where it is wanted: by one process, many at once, for all workers."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from api_contract.kept import Kept
from pulse_core import brokers, clock, db
from pulse_core.brokers import quotes
from pulse_core.brokers.port import Broker, Quote
from pulse_core.trading.store import prices

# The sweep waits so long for a broker; what comes later is there for its next run.
PATIENCE = 1.0
USUAL_KEPT_SECONDS = 60.0

# Orders whose arrival is to be recorded, by their instrument.
Wanted = Mapping[str, list[str]]


def read_prices(now: datetime) -> int:
    """Read the prices of what is about to be sent or has just arrived; returns of how many instruments.

    What is not told in time is not known: nothing waits for it.
    """
    if all(one.quoter is None for one in brokers.reachable()):
        return 0
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    with db.statement() as connection:
        for broker_account, instrument, order_id in prices.wanted(connection, now):
            wanted[broker_account][instrument] += [] if order_id is None else [order_id]
    if not wanted:
        return 0
    return brokers.for_each_account("prices", lambda broker: _read(broker, wanted.get(broker.name, {})))


def usual_volume(instrument: str) -> int | None:
    """What is traded of an instrument on a usual day, as of a minute ago; None: no day before was seen."""
    return _usual.get().get(instrument)


def forget() -> None:
    """Read usual volumes anew when next asked."""
    _usual.forget()


def _read(broker: Broker, wanted: Wanted) -> int:
    source = quotes.of(broker)
    told = {} if source is None or not wanted else source.latest(list(wanted), PATIENCE)
    if told:
        _record(broker, wanted, told)
    return len(told)


def _record(broker: Broker, wanted: Wanted, told: Mapping[str, Quote]) -> None:
    now = clock.utcnow()
    arrived = {order_id: told[name] for name, order_ids in wanted.items() if name in told for order_id in order_ids}
    volumes = {name: quote.volume for name, quote in told.items() if quote.volume}
    with db.transaction() as session:
        prices.put(session, broker.name, told)
        if volumes:
            prices.put_volumes(session, volumes, broker.limits.day(now))
        if arrived:
            prices.add_arrivals(session, arrived, now)


def _usual_volumes() -> Mapping[str, int]:
    with db.statement() as connection:
        return prices.usual_volumes(connection, clock.utcnow().date())


_usual = Kept(_usual_volumes, USUAL_KEPT_SECONDS)
