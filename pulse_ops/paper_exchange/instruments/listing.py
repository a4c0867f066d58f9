"""The list of a day: every instrument by its key."""

import csv
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import cache, lru_cache
from importlib import resources

from pulse_ops.paper_exchange.instruments.contracts import contracts
from pulse_ops.paper_exchange.instruments.instrument import INDICES, SEGMENTS, Instrument, made_up_token, paise

Listing = Mapping[str, Instrument]


@lru_cache(maxsize=8)
def listed(day: date) -> Listing:
    """Everything that is listed on this day."""
    derivatives = (one for underlying in _lines("underlyings.csv") for one in contracts(underlying, day))
    return {**cash(), **{one.key: one for one in derivatives}}


@cache
def cash() -> Listing:
    """Shares, funds and indices, which do not change with the day."""
    return {one.key: one for one in (*_shares(), *_indices())}


@cache
def underlyings() -> Collection[str]:
    """The names that have derivatives."""
    return frozenset(row["name"] for row in _lines("underlyings.csv"))


def token_of(key: str) -> int:
    """The instrument token of this key, listed today or not."""
    found = cash().get(key)
    if found is not None:
        return found.instrument_token
    return made_up_token(key) * 256 + SEGMENTS.get(key.partition(":")[0], 0)


def _shares() -> Iterator[Instrument]:
    for row in _lines("cash.csv"):
        for exchange, token in (("NSE", row["nse_token"]), ("BSE", row["bse_token"])):
            yield Instrument(
                exchange=exchange,
                tradingsymbol=row["tradingsymbol"],
                name=row["name"],
                exchange_token=int(token),
                price=paise(row["price"]),
                tick=paise(row["tick_size"]),
                lot_size=1,
                instrument_type="EQ",
                segment=exchange,
            )


def _indices() -> Iterator[Instrument]:
    for row in _lines("indices.csv"):
        yield Instrument(
            exchange="NSE",
            tradingsymbol=row["name"],
            name=row["name"],
            exchange_token=int(row["token"]),
            price=paise(row["price"]),
            tick=0,
            lot_size=0,
            instrument_type="EQ",
            segment=INDICES,
        )


def _lines(name: str) -> Iterator[Mapping[str, str]]:
    text = (resources.files(__package__) / name).read_text()
    return csv.DictReader(text.splitlines())
