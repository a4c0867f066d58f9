"""Everything that steers an order at once, from many connections, judged as `pulse verify` judges.

RACES is how many races there are, and RACES_SEED where they begin.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pytest

from api_contract.errors import PulseError
from api_contract.vocabulary import CatchUp, HaltedWorking, SliceStatus, WorkingSlices
from pulse_core import brokers, db
from pulse_core.brokers.port import BrokerOrderStatus, Refused
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.trading.halts.halting import halt, release
from pulse_core.trading.halts.receipt import halt_page
from pulse_core.trading.order.amend import amend_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.replan_orders import replan_orders
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.operations import retry_slice
from pulse_core.trading.slice.resolve import resolve_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import slices
from pulse_core.trading.store.halts import HaltScope
from pulse_ops import verify
from pulse_ops.verify import database
from pulse_ops.verify.facts import Facts
from tests.support.broker import SimulatedBroker, accept, accept_and_fill, accept_but_lose_the_answer, answer_with
from tests.support.factories import a_split_order, an_account, order, slices_of
from tests.support.processes import wait_until
from tests.support.watched_broker import WatchedBroker

SEED, RACES = int(os.environ.get("RACES_SEED", "7")), int(os.environ.get("RACES", "1"))
ALL = EveryAccount()
INSTRUMENTS = ("NSE:RELIANCE", "NSE:INFY", "NSE:TCS")
TOTAL = 200
# How often each is done to each order.
DEEDS = {"send": 8, "fill": 4, "amend": 5, "pause": 2, "expire": 3, "retry": 4, "halt": 2, "sweep": 5}
ANSWERS = [
    *([accept] * 4),
    accept_and_fill,
    accept_but_lose_the_answer,
    answer_with(Refused("InputException", "not in lots")),
]


@pytest.fixture
def exchange(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> WatchedBroker:
    watched = WatchedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _account: watched)
    assert sending_hold.may_send(watched)
    return watched


@dataclass
class Hand:
    """One that does something to an order; what is refused at that moment is no matter."""

    exchange: WatchedBroker
    account: str
    order_id: str
    random: Random

    def send(self) -> None:
        due = [one.id for one in self._slices(SliceStatus.SCHEDULED) if one.due_at <= utcnow()]
        execute_slices(due[:4], utcnow)

    def fill(self) -> None:
        working = self.exchange.working()
        if working:
            self.exchange.fill(self.random.choice(working), self.random.choice((1, None)))

    def amend(self) -> None:
        shown = amend_order(
            self._owner, self.order_id, {"total_quantity": self.random.randint(20, 300)}, "ann", utcnow(), None
        )
        assert shown.exposure.total <= shown.total_quantity

    def pause(self) -> None:
        how = self.random.choice(list(WorkingSlices))
        with suppress(PulseError):
            pause_order(self._owner, self.order_id, self.account, utcnow(), working=how)
        cancel_slices(utcnow())
        resume_order(self._owner, self.order_id, self.account, utcnow(), catch_up=self.random.choice([None, *CatchUp]))

    def expire(self) -> None:
        """What works is past its deadline, or the exchange ends it by itself."""
        for one in self._slices(SliceStatus.WORKING)[:2]:
            with db.transaction() as session:
                slices.change(session, one.id, utcnow(), deadline_at=utcnow())
        cancel_slices(utcnow())
        if working := self.exchange.working():
            end = self.random.choice((BrokerOrderStatus.CANCELLED, BrokerOrderStatus.REJECTED))
            self.exchange.end(self.random.choice(working), end)

    def retry(self) -> None:
        for one in self._slices(SliceStatus.FAILED, SliceStatus.REJECTED, SliceStatus.EXPIRED)[:3]:
            with suppress(PulseError):
                retry_slice(one.id, "ops", utcnow())

    def halt(self) -> None:
        scope = HaltScope(instrument=self.random.choice([None, *INSTRUMENTS]))
        made, _ = halt(ALL, scope, self.random.choice(list(HaltedWorking)), "prices make no sense", "ops", utcnow())
        cancel_slices(utcnow())
        release(ALL, made.halt_id, "ops", utcnow())

    def sweep(self) -> None:
        for sweep in (track_slices, resolve_slices, replan_orders):
            sweep(utcnow())

    def cancel(self) -> None:
        if self.random.random() < 0.5:
            cancel_order(self._owner, self.order_id, utcnow(), self.account)

    @property
    def _owner(self) -> OneAccount:
        return OneAccount(self.account)

    def _slices(self, *statuses: SliceStatus) -> Sequence[slices.OrderSlice]:
        return [one for one in slices_of(self.order_id) if one.status in statuses]


def race(hands: Sequence[Hand], random: Random) -> None:
    deeds: list[Callable[[], None]] = []
    for hand in hands:
        deeds += [getattr(hand, name) for name, times in DEEDS.items() for _ in range(times)]
    random.shuffle(deeds)
    deeds += [hand.cancel for hand in hands]

    def do(deed: Callable[[], None]) -> None:
        with suppress(PulseError):
            deed()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(do, deed) for deed in deeds]:
            done.result()


def come_to_rest(hands: Sequence[Hand]) -> None:
    """Everything is let go, what works is filled, and what is unsent is cancelled."""
    for made in halt_page(ALL, is_released=False, limit=10, cursor=None).halts:
        release(ALL, made.halt_id, "ops", utcnow())

    def is_over() -> bool:
        for hand in hands:
            with suppress(PulseError):
                cancel_order(OneAccount(hand.account), hand.order_id, utcnow(), hand.account)
        for broker_order_id in hands[0].exchange.working():
            hands[0].exchange.fill(broker_order_id)
        hands[0].sweep()
        return all(order(hand.order_id).finished_at for hand in hands)

    wait_until(is_over, 60, "the end of all orders")


@pytest.mark.parametrize("seed", range(SEED, SEED + RACES))
def test_whoever_is_first_no_promise_is_broken(exchange: WatchedBroker, environment: dict[str, str], seed: int) -> None:
    random = Random(seed)
    exchange.answers = [accept, *random.choices(ANSWERS, k=60)]
    hands = []
    for instrument in INSTRUMENTS:
        account = an_account()
        order_id = a_split_order(
            utcnow() - timedelta(seconds=30),
            account,
            instrument=instrument,
            total_quantity=TOTAL,
            num_splits=20,
            duration_minutes=2,
            max_slice_multiple=10,
            catch_up=random.choice(list(CatchUp)),
        )
        hands.append(Hand(exchange, account, order_id, Random(f"{seed} {instrument}")))
        hands[-1].send()

    race(hands, random)
    come_to_rest(hands)

    facts = Facts(
        database.read(environment["DATABASE_URL"], "paper"), exchange.books(), is_final=True, grace=timedelta(0)
    )
    assert verify.broken_promises(facts) == []
    assert exchange.book
