"""The services as the state machine sees them: a clock of its own, an exchange that fails, and processes that die."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from api_contract.errors import (
    DuplicateOrderUniqueKey,
    Halted,
    InvalidRequest,
    InvalidState,
    QuantityTooLarge,
    QuantityTooSmall,
    ServiceUnavailable,
)
from api_contract.vocabulary import HaltedWorking
from pulse_core import brokers, clock, failpoints, queue
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.store import states
from pulse_core.brokers.port import BookUnavailable, BrokerOrder, BrokerOrderStatus
from pulse_core.errors import DatabaseUnavailable
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_core.trading.book import look_ups, turns
from pulse_core.trading.halts import halting
from pulse_core.trading.halts import watch as halts_watch
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import cancel_working, claiming, outcome, recording, sending
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.store.halts import HaltScope
from tests.rigs.stateful.exchange import ANSWERS, FORESEEN, START, Clock, FaultyExchange
from tests.rigs.stateful.judge import Judge, Row
from tests.support import servers
from tests.support.books import forget_books, read_again_at_once
from tests.support.factories import an_account

MOST_ROUNDS = 200
LOOKS_OF_A_MINUTE = 16
SLICES = "SELECT s.* FROM order_slices s JOIN orders o ON o.id = s.order_id"
FENCED = "execute.after_claim", "execute.after_turn", "execute.before_send", "execute.before_record_commit"
IN_ORDER = "ORDER BY o.order_unique_key, s.sequence_number"


class ProcessDied(BaseException):
    """Raised at a failpoint: nothing of this call goes on, and nothing of it may catch it."""


class InTurn(Executor):
    """Does at once what it is given: threads would come in an order of their own."""

    def submit(self, run: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(run(*args, **named))
        return done


class World:
    """One database, one exchange, one clock, and the faults that are about to happen."""

    def __init__(self, database_url: str) -> None:
        servers.empty_database(database_url)
        self._patch = pytest.MonkeyPatch()
        self.clock = Clock(START)
        self.exchange = FaultyExchange(clock=self.clock)
        self.judge = Judge(database_url, self.exchange)
        self.exchange.judge = self.judge.check_placement
        self.exchange.is_noticed = self.judge.lacks_a_known_order
        self._patch.setattr(brokers, "connect", lambda _account: self.exchange)
        # Every message is lost; whatever is done is done by the rules.
        self._patch.setattr(queue, "wake", lambda *_args, **_kwargs: None)
        self._patch.setattr(queue, "send", lambda _wakeups: None)
        self._patch.setattr(queue, "send_soon", lambda _wakeups: None)
        self._patch.setattr(queue, "slices_waiting", lambda: 0)
        for module in (claiming, sending, recording, outcome, cancel_working, halting, halts_watch):
            self._patch.setattr(module, "boottime", self.clock.monotonic)
        for module in (claiming, outcome):
            self._patch.setattr(module, "time", SimpleNamespace(sleep=self.advance))
        for module in (sending, recording):
            self._patch.setattr(module, "senders_of", lambda _account: InTurn())
        self._patch.setattr(clock, "utcnow", self.clock)
        # The same events lead to the same pauses, or Hypothesis could not find its way back to a failure.
        # The machine's time is not Postgres's, and a book of one order is long enough to look up a few.
        self._patch.setattr(turns, "LEASE", timedelta(0))
        read_again_at_once(self._patch)
        self._patch.setattr(look_ups, "SPACING", timedelta(0))
        self._patch.setattr(look_ups, "LONG_BOOK", 0)
        # Nor is it that of the probes; an account that was made later than a call began is not held for it.
        self._patch.setattr(directory, "utcnow", self.clock)
        known = directory.accounts_known()
        # Read once a second by a real clock, it would meet another one of the faults each time.
        self._patch.setattr(directory, "accounts_known", lambda: known)
        self._patch.setattr(states, "FIRST_PROBE", timedelta(0))
        self._patch.setattr(states, "NOTICED", timedelta(0))
        self._patch.setattr(outcome, "secrets", SimpleNamespace(randbelow=lambda _limit: 0))
        self._forget_what_the_process_saw()
        assert sending_hold.may_send(self.exchange)
        self.account = an_account()

    def close(self) -> None:
        failpoints.actions.clear()
        self._patch.undo()
        self.judge.close()

    def settle_on(self, flight: timedelta) -> None:
        """How late what was given up may still arrive here."""
        self.exchange.flight = flight
        self.judge.is_all_foreseen = flight in FORESEEN

    def advance(self, seconds: float) -> None:
        """Let time pass; what was under way arrives in it."""
        self.clock.now += timedelta(seconds=seconds)
        self.exchange.deliver(self.clock.now)

    def lose_the_exchange(self, seconds: float) -> None:
        """Nothing arrives there meanwhile, and nobody looks."""
        self.clock.now += timedelta(seconds=seconds)
        self.exchange.hold_back()

    def attempt(self, run: Callable[[], object], fault: str = "") -> None:
        """Call a service while `fault` ("what@point") strikes; what it refuses or puts off is none of our concern."""
        unheard = (ProcessDied, DatabaseUnavailable, BookUnavailable, Halted, InvalidState, DuplicateOrderUniqueKey)
        unheard += (InvalidRequest, QuantityTooSmall, QuantityTooLarge, ServiceUnavailable)
        with self._armed(fault), suppress(*unheard):
            run()
        self.exchange.reading = self.exchange.cancel_answer = ""
        self.exchange.answers.clear()

    def sweep(self, name: str, fault: str = "") -> None:
        self.attempt(lambda: SWEEPS[name].run(self.clock.now), fault)

    def execute(self, slice_id: str, answer: str = "accept", fault: str = "") -> None:
        self.execute_together([slice_id], [answer], fault)

    def execute_together(self, slice_ids: Sequence[str], answers: Sequence[str], fault: str = "") -> None:
        """A batch, whose placements are answered in this order."""
        self.exchange.answers = [ANSWERS[self._foreseen(answer)] for answer in answers]
        # What another worker was told, which sleeps meanwhile, is not its to record.
        told_others, self.exchange.said = self.exchange.said, {}
        self.attempt(lambda: execute_slices(slice_ids, self.clock).check(), fault)
        if not fault.startswith("die"):
            self.judge.check_recorded(self.exchange.said)
        self.exchange.said = told_others

    def _foreseen(self, answer: str) -> str:
        is_odd = answer == "refuse_but_accept" and self.judge.is_all_foreseen
        return "refuse_and_reject" if is_odd else answer

    def watch(self, every: float, interrupt: Callable[[], object] = lambda: None, at: int = 0) -> None:
        """Look for what is UNKNOWN until it is found or settled; before one of the looks something comes between."""
        for look in range(LOOKS_OF_A_MINUTE):
            if not self.unknown():
                break
            if look == at:
                interrupt()
            self.sweep(Task.RESOLVE_SLICES)
            self.advance(every)

    def come_between(self, who: str, what: str) -> None:
        """The exchange is "away" for so many seconds, or a reader's reading is a bad one."""
        if who == "away":
            self.lose_the_exchange(float(what))
        elif who:
            self.exchange.reading = what
            self.sweep(who)

    def halt(self, working: HaltedWorking = HaltedWorking.CANCEL, instrument: str | None = None) -> None:
        """Halt everything, or one instrument."""
        scope = HaltScope(instrument=instrument)
        halting.halt(EveryAccount(), scope, working, "prices make no sense", "ops", self.clock.now)

    def release_halts(self, fault: str) -> None:
        for halt in self.judge.rows("SELECT id FROM halts WHERE released_at IS NULL ORDER BY id"):
            self.attempt(partial(halting.release, EveryAccount(), halt["id"], "ops", self.clock.now), fault)

    def slices(self) -> Sequence[Row]:
        return self.judge.rows(f"{SLICES} {IN_ORDER}")

    def due_slices(self) -> Sequence[Row]:
        return self.judge.rows(f"{SLICES} WHERE s.status = 'SCHEDULED' AND s.due_at <= %s {IN_ORDER}", self.clock.now)

    def orders(self) -> Sequence[Row]:
        return self.judge.rows("SELECT * FROM orders ORDER BY order_unique_key")

    def unknown(self) -> Sequence[Row]:
        return self.judge.rows(f"{SLICES} WHERE s.status = 'UNKNOWN' {IN_ORDER}")

    def working(self) -> list[BrokerOrder]:
        return [row for row in self.exchange.book.values() if row.status is BrokerOrderStatus.OPEN]

    def ended_with_a_rest(self) -> list[BrokerOrder]:
        """Orders that may still be filled late.

        After a rejection nobody can foresee it, nor where the rest of what was cancelled goes out again.
        """
        ends = [BrokerOrderStatus.CANCELLED] + [BrokerOrderStatus.REJECTED] * (not self.judge.is_all_foreseen)
        found = [
            one for one in self.exchange.book.values() if one.status in ends and one.filled_quantity < one.quantity
        ]
        if not self.judge.is_all_foreseen:
            return found
        dropping = self.judge.dropping()
        return [one for one in found if one.client_order_id in dropping]

    def fill(self, pick: int, quantity: int, price: Decimal) -> None:
        """Trade some of an order that works, or, late, of one that has ended."""
        rows = self.working() + self.ended_with_a_rest()
        if rows:
            row = rows[pick % len(rows)]
            self.exchange.fill(row.broker_order_id, min(quantity, row.quantity - row.filled_quantity), price)

    def everybody_else_works(self) -> None:
        """What the other workers do meanwhile: every sweep, and every slice that is due."""
        for name in SWEEPS:
            self.sweep(name)
        for one in self.due_slices():
            self.execute(one["id"])

    def come_to_rest(self) -> None:
        """The faults stop; time goes on until nothing is left to do."""
        for _ in range(MOST_ROUNDS):
            if self._is_at_rest():
                break
            # A longer pause between two looks would begin the settle delay anew.
            self.watch(every=10)
            self.advance(20)
            self.everybody_else_works()
            self.judge.check()
        self.sweep(Task.RECONCILE)

    def _is_at_rest(self) -> bool:
        is_followed = self.judge.is_all_foreseen or not self.exchange.live_client_order_ids()
        return is_followed and all(one["finished_at"] for one in self.orders())

    def _forget_what_the_process_saw(self) -> None:
        forget_books(self._patch, self.clock.monotonic)

    @contextmanager
    def _armed(self, fault: str) -> Iterator[None]:
        what, _, point = fault.partition("@")
        if not what:
            yield
            return

        def strike_once() -> None:
            del failpoints.actions[point]
            if point in FENCED:
                self.judge.check_fenced()
            self._strike(what)

        failpoints.actions[point] = strike_once
        try:
            yield
        finally:
            failpoints.actions.pop(point, None)

    def _strike(self, what: str) -> None:
        if what == "die":
            self._forget_what_the_process_saw()
            raise ProcessDied
        waiting, self.exchange.answers = self.exchange.answers, []
        if what == "cancel":
            self._cancel_everything()
        if what == "halt":
            self.attempt(self.halt)
        if what == "nap":
            self._nap()
        if what.startswith("cut"):
            self.judge.cut_all_connections()
        if what.endswith("sleep"):
            self._sleep_through()
        self.exchange.answers = waiting

    def _cancel_everything(self) -> None:
        for order in self.orders():
            self.attempt(partial(cancel_order, OneAccount(self.account), order["id"], self.clock.now, self.account))

    def _nap(self) -> None:
        """This worker is stopped for a moment, in which everything comes that was late, and everybody reads of it."""
        self.exchange.deliver()
        for row in self.ended_with_a_rest():
            self.exchange.fill(row.broker_order_id, 1)
        self.advance(1)
        self.everybody_else_works()

    def _sleep_through(self) -> None:
        """This worker is stopped for longer than its lease, and the others go on."""
        for seconds in (31, 1, 12):
            self.advance(seconds)
            self.everybody_else_works()
