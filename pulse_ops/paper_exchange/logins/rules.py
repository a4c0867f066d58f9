"""The rules of a login, as Kite has them: what signs it, and when it ends."""

import hashlib
from datetime import datetime, time, timedelta

from pulse_ops.paper_exchange.clock import INDIA, us_of, utc

# An access token dies with the night.
TOKENS_END = time(6)
REQUEST_TOKEN_SECONDS = 300


def checksum(api_key: str, request_token: str, api_secret: str) -> str:
    """What proves that an app has the secret."""
    return hashlib.sha256((api_key + request_token + api_secret).encode()).hexdigest()


def ends_at(began_at: int) -> int:
    """The next six o'clock in India. Instants are microseconds since 1970."""
    began = utc(began_at).astimezone(INDIA)
    end = datetime.combine(began.date(), TOKENS_END, INDIA)
    return us_of(end if end > began else end + timedelta(days=1))


def digest(token: str) -> str:
    """How a token stands in the ledger."""
    return hashlib.sha256(token.encode()).hexdigest()
