"""The list as Kite hands it out: CSV, everything or one exchange."""

import csv
import io
from collections.abc import Callable, Iterable

from pulse_ops.paper_exchange.instruments.instrument import Instrument

COLUMNS = (
    "instrument_token",
    "exchange_token",
    "tradingsymbol",
    "name",
    "last_price",
    "expiry",
    "strike",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
)


def dump(instruments: Iterable[Instrument], price_of: Callable[[Instrument], int]) -> str:
    """The lines of these instruments; `price_of` gives the last price in paise."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(_line(one, price_of(one)) for one in instruments)
    return text.getvalue()


def _line(one: Instrument, price: int) -> tuple[object, ...]:
    return (
        one.instrument_token,
        one.exchange_token,
        one.tradingsymbol,
        one.name,
        _rupees(price),
        one.expiry or "",
        one.strike,
        _rupees(one.tick),
        one.lot_size,
        one.instrument_type,
        one.segment,
        one.exchange,
    )


def _rupees(amount: int) -> str:
    return f"{amount / 100:.10g}"
