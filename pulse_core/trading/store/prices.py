"""The only writer of what instruments stand at, stood at when orders arrived, and traded on the days before."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, String, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.brokers.port import Level, Quote
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared
from pulse_core.trading.price_tables import Arrival, DayVolume, LastPrice
from pulse_core.trading.store.day_used import least_id

# An order whose arrival was not seen by then has none.
ARRIVING = timedelta(minutes=1)
LOOKED_AT = 1000
FRESH = text("interval '5 seconds'")
# A day's volume is written again when it has grown by so much.
GROWN = Decimal("1.01")
USUAL_DAYS = timedelta(days=30)


def wanted(connection: Connection, now: datetime) -> Sequence[tuple[str, str, str | None]]:
    """Broker accounts, instruments, and the order of each whose arrival is to be recorded, else None."""
    rows = connection.execute(_WANTED, {"least_id": least_id(now - ARRIVING), "most": LOOKED_AT})
    return [(row.broker, row.instrument, row.order_id) for row in rows]


def put(session: Session, broker_account: str, quotes: Mapping[str, Quote]) -> None:
    """Write what instruments stand at now, in place of what they stood at."""
    read_at = func.clock_timestamp()
    rows = [
        {"broker_account": broker_account, "instrument": name, "price": quote.last_price, "read_at": read_at}
        # In one order, so that two who write wait for each other and no more.
        for name, quote in sorted(quotes.items())
    ]
    added = insert(LastPrice).values(rows)
    session.execute(
        added.on_conflict_do_update(
            index_elements=[LastPrice.broker_account, LastPrice.instrument],
            set_={"price": added.excluded.price, "read_at": added.excluded.read_at},
        )
    )


def put_volumes(session: Session, volumes: Mapping[str, int], day: date) -> None:
    """Write what was traded of instruments on a day so far, where it has grown."""
    rows = [{"instrument": name, "day": day, "volume": volume} for name, volume in sorted(volumes.items())]
    added = insert(DayVolume).values(rows)
    session.execute(
        added.on_conflict_do_update(
            index_elements=[DayVolume.instrument, DayVolume.day],
            set_={"volume": added.excluded.volume},
            where=added.excluded.volume > DayVolume.volume * GROWN,
        )
    )


def add_arrivals(session: Session, quotes: Mapping[str, Quote], now: datetime) -> None:
    """Record what the instruments of orders stood at, by the orders' ids; those that have one keep it."""
    rows = [_arrival(order_id, quote, now) for order_id, quote in sorted(quotes.items())]
    session.execute(insert(Arrival).values(rows).on_conflict_do_nothing(index_elements=[Arrival.order_id]))


def arrivals(session: Session, order_ids: Sequence[str]) -> Mapping[str, Arrival]:
    """Those of these orders that have one, by order."""
    return {one.order_id: one for one in session.scalars(select(Arrival).where(Arrival.order_id.in_(order_ids)))}


def last_price(connection: Connection, broker_account: str, instrument: str) -> Decimal | None:
    """What an instrument stood at within the last seconds."""
    rows = select(LastPrice.price).where(
        LastPrice.broker_account == broker_account,
        LastPrice.instrument == instrument,
        LastPrice.read_at >= func.clock_timestamp() - FRESH,
    )
    return connection.execute(rows).scalar_one_or_none()


def usual_volumes(connection: Connection, today: date) -> Mapping[str, int]:
    """The most that was seen to be traded of instruments on one of the days before."""
    rows = (
        select(DayVolume.instrument, func.max(DayVolume.volume))
        .where(DayVolume.day < today, DayVolume.day >= today - USUAL_DAYS)
        .group_by(DayVolume.instrument)
    )
    return {row[0]: row[1] for row in connection.execute(rows)}


def _arrival(order_id: str, quote: Quote, now: datetime) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "taken_at": now,
        "quoted_at": quote.at,
        "last_price": quote.last_price,
        "volume": quote.volume,
        "bids": _levels(quote.bids),
        "asks": _levels(quote.asks),
    }


def _levels(levels: Sequence[Level]) -> list[list[Any]]:
    return [[format(one.price, "f"), one.quantity] for one in levels]


_WANTED = (
    sql.load(__package__, "prices_wanted", {"least_id": String(), "most": Integer()})
    .columns(broker=String(), instrument=String(), order_id=String())
    .execution_options(**prepared("prices_wanted"))
)
