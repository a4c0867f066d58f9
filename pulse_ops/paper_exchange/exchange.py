"""What happens to orders: accepted, filled, rejected, cancelled, as the market and the scenario have it."""

import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event, Thread

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.entry import Entry, first_status, is_in_book
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError, bad_input, unknown_order
from pulse_ops.paper_exchange.faults import Faults, Rule, Scenario, Stage
from pulse_ops.paper_exchange.later import Later
from pulse_ops.paper_exchange.log import service_log
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.matching import Matching, us
from pulse_ops.paper_exchange.modifying import book_modification, modified
from pulse_ops.paper_exchange.postbacks import Postbacks
from pulse_ops.paper_exchange.sessions.timetable import Timetable
from pulse_ops.paper_exchange.store import FINAL, Books

TICK_SECONDS = 0.05
# While nothing waits to be filled, only the day can end.
CALM_SECONDS = 0.5

log = service_log()

Hits = Mapping[Stage, Rule]


@dataclass(frozen=True)
class Arrived:
    """A placement request: its number, the instant and the day it came in, and its form as sent."""

    number: int
    at: int
    day: str
    form: Mapping[str, str]


class Exchange:
    """The order system and the matching engine behind it. Safe to call from many threads."""

    def __init__(self, books: Books, market: Market, faults: Faults, postbacks: Postbacks, entry: Entry) -> None:
        self.books = books
        self.market = market
        self.faults = faults
        self.entry = entry
        self._matching = Matching(books, market, faults, entry.is_trading)
        self._timetable = Timetable(books, market, entry.auctions, entry.find) if entry.has_hours else None
        self._postbacks = postbacks
        self._later = Later()
        self._closing = Event()
        # Whether something may wait to be filled.
        self._stirred = Event()
        self._day = ""

    def start(self) -> None:
        """Begin to move prices and to fill what waits."""
        self.books.lose_pending()
        Thread(target=self._keep_ticking, name="market", daemon=True).start()

    def close(self) -> None:
        """End the market and close the books."""
        self._closing.set()
        self._stirred.set()
        self.books.close()

    def set_scenario(self, scenario: Scenario) -> None:
        """Put a scenario in force; it survives a restart."""
        self.faults.replace(scenario)
        self._save_scenario()

    def today(self) -> str:
        """The trading day, as YYYY-MM-DD."""
        return self.books.day(self.books.now())

    def arrive(self, at: int, form: Mapping[str, str]) -> Arrived:
        """Number a placement request."""
        return Arrived(self.books.next_arrival(), at, self.books.day(at), form)

    def faults_for(self, arrived: Arrived, request: OrderRequest) -> Hits:
        """What the scenario has in store for this order."""
        hits = self.faults.for_order(arrived.number, request)
        if any(rule.count is not None for rule in hits.values()):
            self._save_scenario()
        return hits

    def fault_for(self, stage: Stage) -> Rule | None:
        """What the scenario has in store for this look at the book, or this cancellation."""
        rule = self.faults.for_request(stage)
        if rule is not None and rule.count is not None:
            self._save_scenario()
        return rule

    def turn_away(self, arrived: Arrived, outcome: str, hits: Hits) -> None:
        """Book a request that was not accepted."""
        with self.books.transaction():
            self._add_arrival(arrived, outcome, hits)

    def refuse_in_book(self, arrived: Arrived, request: OrderRequest, hits: Hits, message: str) -> None:
        """Book a refused request, and an order beside it that is rejected from its beginning."""
        with self.books.transaction():
            order_id = self._reject(arrived, request, hits, message)
        self._report(order_id)

    def accept(self, arrived: Arrived, request: OrderRequest, hits: Hits) -> str:
        """Book an order and let it meet the market. It is on disk when its id is returned.

        Raises WireError for an order that the account cannot pay or deliver: it stands in the book, rejected.
        """
        with self.books.transaction():
            refusal = self.entry.refusal_for_account(request)
            if refusal is None:
                order_id = self._take(arrived, request, hits)
            else:
                order_id = self._reject(arrived, request, hits, refusal.message)
        self._report(order_id)
        if refusal is not None:
            raise refusal
        return order_id

    def accept_later(self, arrived: Arrived, request: OrderRequest, hits: Hits) -> Future[str]:
        """Accept an order when its time has come, whether or not anybody waits for the answer.

        The order's id comes as the future's result, or ConnectionDropped when the day has ended meanwhile.
        """
        with self.books.transaction():
            self._add_arrival(arrived, "PENDING", hits)
        return self._later.call(hits[Stage.ENTRY].seconds, lambda: self._accept_late(arrived, request, hits))

    def cancel(self, order_id: str, variety: str) -> None:
        """Cancel what is left of an order. Raises WireError."""
        now = self.books.now()
        with self.books.transaction():
            order = self._of_today(order_id, now)
            if order["variety"] != variety:
                raise bad_input("Invalid `variety`.")
            if order["status"] in FINAL:
                raise WireError(400, "OrderException", f"Order cannot be cancelled: it is {order['status']}.")
            self.books.cancel_order(order_id, None, now)
        self._report(order_id)

    def modify(self, order_id: str, variety: str, changes: Mapping[str, str]) -> None:
        """Change the terms of an order that is not over, and let it meet the market anew. Raises WireError."""
        with self.books.transaction():
            now = self.books.now()
            order = self._of_today(order_id, now)
            request = modified(order, variety, changes)
            self.entry.check(request, now)
            if refusal := self.entry.refusal_for_account(request, order_id):
                raise refusal
            book_modification(self.books, order, request, now, self.entry.booking(request, now)["blocked"])
            self._matching.meet_again(order_id, now)
        self._report(order_id)

    def end_day(self) -> str:
        """End the day before its time and begin the next one, which is returned."""
        with self.books.transaction():
            self.books.end_day_early()
        self.tick()
        return self.books.day(self.books.now())

    def move_clock(self, to: int | None) -> None:
        """Let the clock go on from this instant; what is due by then happens at once."""
        with self.books.transaction():
            self.books.move_clock(to)
        self.tick()

    def tick(self) -> None:
        """End what its day ends, fill what is due and what prices cross, and do what the day asks for by its clock."""
        now = self.books.now()
        today = self.books.day(now)
        with self.books.transaction():
            touched = self.books.end_orders_before(today, now) if today != self._day else []
            touched += self._matching.tick(now)
            if self._timetable is not None:
                touched += self._timetable.tick(now)
            if self.books.is_anything_waiting():
                self._stirred.set()
        self._day = today
        for order_id in touched:
            self._report(order_id)

    def _of_today(self, order_id: str, now: int) -> sqlite3.Row:
        order = self.books.order(order_id)
        if order is None or not is_in_book(order, self.books.day(now)):
            raise unknown_order()
        return order

    def _take(self, arrived: Arrived, request: OrderRequest, hits: Hits) -> str:
        life = hits.get(Stage.LIFE)
        # Inside the transaction, so that no order of a day is booked after that day was ended.
        now = self.books.now()
        is_pending = life is not None and life.fault == "open_pending"
        order_id = self._add_order(request, "OPEN PENDING" if is_pending else first_status(request), hits, now)
        self._add_arrival(arrived, "ACCEPTED", hits, order_id)
        if life is not None:
            self._matching.live_through(life, order_id, request, now)
        elif request.variety == "regular":
            self._matching.enter(order_id, request, now)
        return order_id

    def _reject(self, arrived: Arrived, request: OrderRequest, hits: Hits, message: str) -> str:
        now = self.books.now()
        order_id = self._add_order(request, "OPEN", hits, now)
        self.books.end_order(order_id, "REJECTED", message, now)
        self._add_arrival(arrived, "REFUSED", hits, order_id)
        return order_id

    def _accept_late(self, arrived: Arrived, request: OrderRequest, hits: Hits) -> str:
        if self.books.day(self.books.now()) != arrived.day:
            self.turn_away(arrived, "LOST", hits)
            raise ConnectionDropped
        return self.accept(arrived, request, hits)

    def _add_arrival(self, arrived: Arrived, outcome: str, hits: Hits, order_id: str | None = None) -> None:
        faults = [rule.fault for rule in hits.values()]
        self.books.add_arrival(arrived.number, arrived.at, arrived.form, outcome, faults, order_id)

    def _add_order(self, request: OrderRequest, status: str, hits: Hits, now: int) -> str:
        book, postback = hits.get(Stage.BOOK), hits.get(Stage.POSTBACK)
        return self.books.add_order(
            request,
            status,
            at=now,
            visible_at=now + us(book.seconds) if book else now,
            postback=(postback.fault, postback.seconds) if postback else (None, 0.0),
            **self.entry.booking(request, now),
        )

    def _keep_ticking(self) -> None:
        while not self._closing.wait(TICK_SECONDS):
            self._stirred.wait(CALM_SECONDS)
            # Before the look: what is booked after it stirs anew.
            self._stirred.clear()
            try:
                self.tick()
            except sqlite3.OperationalError:
                log.exception("tick failed")
            except sqlite3.ProgrammingError:
                # Closed between the wait and the tick.
                return

    def _report(self, order_id: str) -> None:
        self._stirred.set()
        order = self.books.order(order_id)
        if order is not None:
            self._postbacks.send(order)

    def _save_scenario(self) -> None:
        self.books.set_note("scenario", self.faults.scenario.model_dump_json())
