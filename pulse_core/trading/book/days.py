"""Which orders the broker's books can show: they begin at some instant, and a day's beginning has two sides."""

from datetime import datetime, timedelta

from pulse_core.brokers.port import Broker

# Longer than a request and a reading of the book take: either may begin on one day and end on the next.
ON_ITS_WAY = timedelta(minutes=1)
# So long before its day ends a book is read whenever it is looked at: what is not seen by then is gone with it.
CLOSING = timedelta(seconds=15)


def sent_since(broker: Broker, now: datetime) -> datetime:
    """What was sent before this instant is not in the book of now; later, it may be."""
    return broker.covers_since(now) - ON_ITS_WAY


def over_before(broker: Broker, now: datetime) -> datetime:
    """The day of what was sent before this instant is over; the book of now shows it when it shows it at all."""
    return broker.covers_since(now - ON_ITS_WAY)


def is_closing(broker: Broker, now: datetime) -> bool:
    """Whether the book of now, and what it has to tell, is soon replaced by that of another day."""
    return broker.covers_since(now + CLOSING) > broker.covers_since(now)
