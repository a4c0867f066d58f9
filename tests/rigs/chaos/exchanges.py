"""The exchanges that a run trades at: the stack's own, which speaks Kite's protocol, and one that speaks Alpaca's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pulse_ops.stack import processes

# The port of the second exchange, for `rigged_stack`.
US_PORT = "RIG_US_PORT"
US_KEY, US_SECRET = "chaos-us-key", "chaos-us-secret"


@dataclass(frozen=True)
class Exchange:
    """An exchange, the broker account that trades there, and what.

    `lacks` are the faults that it does not know; an id that it has not is believed after `certain_after` seconds more.
    """

    account: str
    program: str
    url_variable: str
    instruments: Sequence[str]
    lacks: frozenset[str] = frozenset()
    certain_after: float = 0.0

    def ledger(self, data_dir: Path) -> Path:
        """Its own account of what happened."""
        return data_dir.resolve() / self.program / "ledger.sqlite"


KITE = Exchange(
    "paper",
    processes.EXCHANGE,
    "PULSE_PAPER_EXCHANGE_URL",
    ("NSE:RELIANCE", "NSE:INFY", "NSE:TCS", "BSE:INFY", "NSE:M&M", "NSE:BAJAJ-AUTO"),
)
ALPACA = Exchange(
    "chaos-us",
    f"{processes.EXCHANGE}-us",
    "ALPACA_ROOT_URL",
    ("NYSE:BRK.B", "NYSE:KO", "NASDAQ:AAPL", "ARCA:SPY"),
    frozenset({"book_stale", "book_foreign", "postback_duplicated", "postback_reordered", "postback_lost"}),
    60.0,
)
EXCHANGES = "NSE,BSE,NYSE,NASDAQ,ARCA"
BROKERS: Mapping[str, Sequence[Exchange]] = {"kite": (KITE,), "alpaca": (ALPACA,), "both": (KITE, ALPACA)}
