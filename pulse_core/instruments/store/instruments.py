"""Reads and writes the lines of brokers' lists. A list is written as a whole, and never changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, String, bindparam, delete, func, insert, or_, select, tuple_
from sqlalchemy.orm import Session

from api_contract.vocabulary import OrderType, Product
from pulse_core.instruments.listed import Listed
from pulse_core.instruments.tables import Instrument
from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared

AT_ONCE = 1000
_ORDER_TYPES = "order_types"
# Above every character of a symbol.
_LAST = "~"
_COLUMNS = (
    Instrument.exchange, Instrument.symbol, Instrument.token, Instrument.name, Instrument.kind, Instrument.lot_size,
    Instrument.tick_size, Instrument.freeze_quantity, Instrument.max_quantity, Instrument.products, Instrument.limits,
    Instrument.expires_on,
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What is looked for in a list: symbols that begin alike, on one exchange or on any; those after a place."""

    prefix: str = ""
    exchange: str | None = None
    beyond: tuple[str, str] | None = None


def add(session: Session, load_id: int, broker: str, listed: Iterable[Listed]) -> None:
    """Write the lines of a load."""
    rows = ({"load_id": load_id, "broker": broker, **_row(one)} for one in listed)
    while some := list(islice(rows, AT_ONCE)):
        session.execute(insert(Instrument), some)


def find(connection: Connection, load_id: int, exchange: str, symbol: str) -> Listed | None:
    """One line of a list."""
    return next(
        map(_listed, connection.execute(_FIND, {"load_id": load_id, "exchange": exchange, "symbol": symbol})), None
    )


def page(session: Session, load_id: int, asked: Asked, limit: int) -> Sequence[Listed]:
    """Up to `limit` lines, by exchange and symbol."""
    place = tuple_(Instrument.exchange, Instrument.symbol)
    rows = select(*_COLUMNS).where(Instrument.load_id == load_id).order_by(Instrument.exchange, Instrument.symbol)
    if asked.exchange is not None:
        rows = rows.where(Instrument.exchange == asked.exchange)
    if asked.prefix:
        rows = rows.where(Instrument.symbol >= asked.prefix, Instrument.symbol < asked.prefix + _LAST)
    if asked.beyond is not None:
        rows = rows.where(place > asked.beyond)
    return [_listed(row) for row in session.execute(rows.limit(limit))]


def count_left(session: Session, load_id: int, day: date) -> dict[str, int]:
    """How many lines each exchange has that are not expired on a day."""
    is_left = or_(Instrument.expires_on.is_(None), Instrument.expires_on >= day)
    counted = select(Instrument.exchange, func.count()).where(Instrument.load_id == load_id, is_left)
    return {row[0]: row[1] for row in session.execute(counted.group_by(Instrument.exchange))}


def forget_before(session: Session, broker: str, load_id: int) -> None:
    """Delete the lists of a broker that are older than that of a load. A newer one, just come, is not touched."""
    session.execute(
        delete(Instrument)
        .where(Instrument.broker == broker, Instrument.load_id < load_id)
        .execution_options(synchronize_session=False)
    )


def _row(one: Listed) -> dict[str, Any]:
    row = {column.key: getattr(one, column.key) for column in _COLUMNS if column.key != "limits"}
    limits = {} if set(one.order_types) == set(OrderType) else {_ORDER_TYPES: sorted(one.order_types)}
    return row | {"products": sorted(one.products), "limits": limits}


def _listed(row: Any) -> Listed:
    given = row._asdict()
    order_types = given.pop("limits").get(_ORDER_TYPES, list(OrderType))
    given["products"] = tuple(map(Product, given["products"]))
    return Listed(**given, order_types=tuple(map(OrderType, order_types)))


def _find_statement() -> Select[Any]:
    named: sql.Types = {"load_id": BigInteger(), "exchange": String(), "symbol": String()}
    is_it = [getattr(Instrument, name) == bindparam(name, type_=kind) for name, kind in named.items()]
    return select(*_COLUMNS).where(*is_it).execution_options(**prepared("find_instrument"))


_FIND = _find_statement()
