"""The hours of the exchange, as they are since 3 August 2026, by India's clock."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pulse_ops.paper_exchange.clock import INDIA, us_of, utc
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.sessions.days import is_trading_day

PRE_OPENS, OPENS = time(9, 0), time(9, 15)
# Between these no after market orders are taken.
AMO_PAUSES, AMO_RESUMES = time(9, 0), time(15, 45)

_EVERYTHING = frozenset({"MARKET", "LIMIT", "SL", "SL-M"})
_LIMITS = frozenset({"LIMIT"})
_WITHOUT_STOPS = frozenset({"MARKET", "LIMIT"})


@dataclass(frozen=True)
class Phase:
    """A part of the day, and the order types that it takes. What an auction takes is collected, and traded later."""

    opens: time
    closes: time
    takes: Collection[str]
    is_auction: bool = False


# The pre-open of shares collects until a random moment between 9:07 and 9:08, here until 9:07. That is matched by 9:12,
# here at 9:08; from then on nothing is taken until the market opens.
_PRE_OPEN = Phase(PRE_OPENS, time(9, 7), _WITHOUT_STOPS, is_auction=True)
PRE_OPEN_MATCHED = time(9, 8)
# Stocks with derivatives have a closing auction; it ends at random between 15:28 and 15:30, here at 15:28. What it has
# collected is matched by 15:35, here at 15:30. Its band lies around what was paid before it.
AVERAGED_FROM, AVERAGED_UNTIL = time(15, 0), time(15, 15)
AUCTION_BEGINS, AUCTION_MATCHED = time(15, 20), time(15, 30)
_WITH_AUCTION = (
    _PRE_OPEN,
    Phase(OPENS, AVERAGED_UNTIL, _EVERYTHING),
    Phase(AUCTION_BEGINS, time(15, 25), _WITHOUT_STOPS, is_auction=True),
    Phase(time(15, 25), time(15, 28), _LIMITS, is_auction=True),
)
_PLAIN = (_PRE_OPEN, Phase(OPENS, time(15, 30), _EVERYTHING))
_DERIVATIVES = (Phase(OPENS, time(15, 40), _EVERYTHING),)
# Fresh orders of MIS end before the day does, and what is held of it is squared off.
_MIS_ENDS_CASH, _MIS_ENDS_DERIVATIVES = time(15, 20), time(15, 25)


def check_hours(
    instrument: Instrument, underlyings: Collection[str], variety: str, product: str, order_type: str, at: int
) -> None:
    """Raise WireError unless an order of this kind is taken at this instant; `underlyings` have derivatives."""
    moment = utc(at).astimezone(INDIA)
    if variety == "amo":
        _check_amo(moment)
        return
    is_open = is_trading_day(moment.date())
    phases = _phases(instrument, underlyings) if is_open else ()
    takes = next((one.takes for one in phases if one.opens <= moment.time() < one.closes), None)
    if takes is None:
        raise bad_input(
            f"{product} orders are blocked as the markets are not open for trading"
            f"{' right now' if is_open else ' today'}. Try placing an AMO order."
        )
    if order_type not in takes:
        raise bad_input(f"{order_type} orders are not allowed in this session.")
    if product == "MIS" and moment.time() >= mis_ends(is_derivative=instrument.is_derivative):
        raise bad_input("Fresh MIS (intraday) orders are not allowed in this session.")


def mis_ends(*, is_derivative: bool) -> time:
    """When fresh orders of MIS end."""
    return _MIS_ENDS_DERIVATIVES if is_derivative else _MIS_ENDS_CASH


def has_auction(instrument: Instrument, underlyings: Collection[str]) -> bool:
    """Whether the day of an instrument ends with an auction; `underlyings` have derivatives."""
    return _phases(instrument, underlyings) is _WITH_AUCTION


def is_in_closing_auction(instrument: Instrument, underlyings: Collection[str], at: int) -> bool:
    """Whether an instrument has an auction that has begun, and is not matched yet, at this instant."""
    begun = AUCTION_BEGINS <= utc(at).astimezone(INDIA).time() < AUCTION_MATCHED
    return begun and has_auction(instrument, underlyings)


def is_trading(instrument: Instrument, underlyings: Collection[str], at: int) -> bool:
    """Whether what crosses trades at this instant: not while the market is closed or collects for an auction."""
    moment = utc(at).astimezone(INDIA)
    phases = _phases(instrument, underlyings) if is_trading_day(moment.date()) else ()
    return any(one.opens <= moment.time() < one.closes and not one.is_auction for one in phases)


def next_opening(at: int, *, is_derivative: bool) -> int:
    """When an after market order goes to the exchange, in microseconds since 1970: that of a share to the pre-open."""
    moment = utc(at).astimezone(INDIA)
    opens = OPENS if is_derivative else PRE_OPENS
    day = moment.date() if moment.time() < opens else moment.date() + timedelta(days=1)
    return us_of(datetime.combine(_trading_day_from(day), opens, INDIA))


def _trading_day_from(day: date) -> date:
    while not is_trading_day(day):
        day += timedelta(days=1)
    return day


def _check_amo(moment: datetime) -> None:
    if is_trading_day(moment.date()) and AMO_PAUSES <= moment.time() < AMO_RESUMES:
        raise bad_input("After market orders are not allowed between 9:00 AM and 3:45 PM.")


def _phases(instrument: Instrument, underlyings: Collection[str]) -> tuple[Phase, ...]:
    if instrument.is_derivative:
        return _DERIVATIVES
    return _WITH_AUCTION if instrument.tradingsymbol in underlyings else _PLAIN
