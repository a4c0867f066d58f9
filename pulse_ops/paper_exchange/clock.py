"""Instants of the exchange: microseconds since 1970 in its ledger, India time without a zone on the wire."""

import time
from datetime import UTC, datetime, timedelta, timezone
from datetime import time as time_of_day

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))


def now_us() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def utc(us: int) -> datetime:
    """The aware instant of a number of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def us_of(at: datetime) -> int:
    """The other way round."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def trading_day(us: int, starts: time_of_day, ended_early: int) -> str:
    """The day whose books hold this instant, as YYYY-MM-DD: that of the clock, and the days ended before their time."""
    since_midnight = timedelta(hours=starts.hour, minutes=starts.minute, seconds=starts.second)
    day = (utc(us).astimezone(INDIA) - since_midnight).date()
    return (day + timedelta(days=ended_early)).isoformat()


def india_text(us: int) -> str:
    """The instant as Kite writes it."""
    return f"{utc(us).astimezone(INDIA):%Y-%m-%d %H:%M:%S}"
