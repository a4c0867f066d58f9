"""What can be traded, as the API tells it."""

from datetime import date, datetime
from decimal import Decimal

from pulse_client.reading import Answer
from pulse_client.vocabulary import InstrumentKind, LoadOutcome, OrderType, Product


class Instrument(Answer):
    """What the broker lists. Quantities are whole lots, limit prices whole ticks; None: no cap is known."""

    instrument: str
    exchange: str
    symbol: str
    name: str
    kind: InstrumentKind
    lot_size: int
    tick_size: Decimal
    freeze_quantity: int | None
    max_slice_quantity: int | None
    products: list[Product]
    order_types: list[OrderType]
    expires_on: date | None


class InstrumentPage(Answer):
    """Instruments by exchange and symbol; `loaded_at` is None where no list was ever loaded."""

    broker: str
    loaded_at: datetime | None
    instruments: list[Instrument]
    next_cursor: str | None


class InstrumentLoad(Answer):
    """A load of a broker's list; `outcome` is None until it has ended."""

    load_id: int
    broker: str
    asked_by: str
    asked_at: datetime
    accept_smaller: bool
    begun_at: datetime | None
    ended_at: datetime | None
    outcome: LoadOutcome | None
    listed: int | None
    skipped: int | None
    reason: str | None


class InstrumentLoadList(Answer):
    instrument_loads: list[InstrumentLoad]
