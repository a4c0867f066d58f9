"""What happens on a trading day by the clock alone, each once a day."""

from collections.abc import Callable, Iterator
from datetime import time
from functools import partial

from pulse_ops.paper_exchange.clock import INDIA, utc
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.sessions.auctions import Auctions
from pulse_ops.paper_exchange.sessions.days import is_trading_day
from pulse_ops.paper_exchange.sessions.hours import AUCTION_BEGINS, AUCTION_MATCHED, PRE_OPEN_MATCHED, mis_ends
from pulse_ops.paper_exchange.sessions.squaring_off import SquaringOff
from pulse_ops.paper_exchange.store import Books

Deed = Callable[[int], Iterator[str]]


class Timetable:
    """Does each when its time has come by the exchange's clock, inside the exchange's transactions."""

    def __init__(
        self, books: Books, market: Market, auctions: Auctions, find: Callable[[str], Instrument | None]
    ) -> None:
        self._books = books
        squaring_off = SquaringOff(books, market, find)
        self._deeds: tuple[tuple[str, time, Deed], ...] = (
            ("pre_open_matched", PRE_OPEN_MATCHED, auctions.match_pre_open),
            ("auction_begun", AUCTION_BEGINS, auctions.begin_closing),
            *(
                (
                    f"squared_off_{is_derivative}",
                    mis_ends(is_derivative=is_derivative),
                    partial(squaring_off.square_off, is_derivative=is_derivative),
                )
                for is_derivative in (False, True)
            ),
            ("auction_matched", AUCTION_MATCHED, auctions.match_closing),
        )

    def tick(self, now: int) -> list[str]:
        """What is due of them; the orders that were touched."""
        moment = utc(now).astimezone(INDIA)
        if not is_trading_day(moment.date()):
            return []
        day = self._books.day(now)
        touched: list[str] = []
        for name, at, deed in self._deeds:
            if moment.time() >= at and self._books.note(name) != day:
                self._books.set_note(name, day)
                touched += deed(now)
        return touched
