"""Thirty days of a market, with whatever may happen to orders: no slice leaves outside a phase that takes it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from api_contract.errors import InvalidState, PulseError
from api_contract.vocabulary import OrderType, Product, SessionRule
from pulse_core import config, db, queue
from pulse_core.brokers.port import NotSent, OutcomeUnknown, Placement
from pulse_core.clock import utcnow
from pulse_core.markets import hours, overrides
from pulse_core.markets.overrides import Span, Statement
from pulse_core.owner import OneAccount
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice import claiming
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slices
from tests.support.broker import SimulatedBroker, accept_and_fill
from tests.support.factories import a_new_order, an_account

INDIA = ZoneInfo("Asia/Kolkata")
FIRST, DAYS = date(2026, 10, 19), 30
# What the exchange says, written down once more: the judge does not ask the calendar that it judges.
HOLIDAYS = {date(2026, 10, 20), date(2026, 11, 10)}
DIWALI = date(2026, 11, 8)
BOTH, AT_A_LIMIT = {OrderType.MARKET, OrderType.LIMIT}, {OrderType.LIMIT}
Phases = Sequence[tuple[str, str, set[OrderType]]]
PHASES: Phases = (
    ("09:15", "15:15", BOTH),
    ("15:20", "15:25", BOTH),
    ("15:25", "15:28", AT_A_LIMIT),
)
MUHURAT: Phases = (("18:00", "19:00", BOTH),)
_SLICES = text("SELECT id FROM order_slices WHERE order_id = ANY (:orders) ORDER BY order_id, sequence_number")
LAST_INTRADAY = "15:15"
EDGES = ("09:00", "09:14:59", "09:15", "15:14:58", "15:15", "15:19:59", "15:20", "15:24:59", "15:25", "15:28", "18:00")


@pytest.fixture(autouse=True)
def market(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The paper exchange keeps the hours of the market, and no message reaches anybody."""
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    # What is due in a moment would be waited for.
    monkeypatch.setattr(claiming, "EARLY", timedelta(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_SESSION", "market")
        config.settings.cache_clear()
        hours.forget()
        yield
    config.settings.cache_clear()
    hours.forget()


def may_leave(at: datetime, placement: Placement) -> bool:
    here = at.astimezone(INDIA)
    kind = OrderType.MARKET if placement.limit_price is None else OrderType.LIMIT
    if here.date() == DIWALI:
        phases = MUHURAT
    elif here.weekday() >= 5 or here.date() in HOLIDAYS:
        return False
    else:
        phases = PHASES
        if placement.product is Product.MIS and here.time() >= time.fromisoformat(LAST_INTRADAY):
            return False
    return any(
        kind in takes and time.fromisoformat(opens) <= here.time() < time.fromisoformat(closes)
        for opens, closes, takes in phases
    )


@dataclass
class World:
    """Orders, and all that is done with them, at instants that chance decides."""

    broker: SimulatedBroker
    chance: Random
    account: str
    now: datetime
    placed: list[tuple[datetime, Placement]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.broker.place = self.place  # type: ignore[method-assign]

    def place(self, placement: Placement, not_after: float) -> str:
        self.placed.append((self.now, placement))
        match self.chance.randrange(10):
            case 0:
                raise NotSent("UNREACHABLE", "no connection")
            case 1:
                raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")
        return accept_and_fill(self.broker, placement)

    def order(self) -> None:
        kind = self.chance.choice(list(OrderType))
        until_close = self.chance.random() < 0.3
        new_order = a_new_order(
            instrument=self.chance.choice(["NSE:RELIANCE", "BSE:TCS"]),
            order_type=kind,
            limit_price=Decimal("2500.05") if kind is OrderType.LIMIT else None,
            product=self.chance.choice([None, *Product]),
            session=self.chance.choice(list(SessionRule)),
            until_close=until_close,
            duration_minutes=None if until_close else self.chance.choice([1, 30, 400, 1440]),
            randomize=self.chance.random() < 0.5,
            start_at=self.now + timedelta(minutes=self.chance.choice([0, 1, 600, 1500])),
        )
        try:
            order_id = submit_order(self.account, new_order, self.now).order_id
        except PulseError as refusal:
            self.refused[refusal.code] += 1
            return
        self.open.append(order_id)

    def sweep(self) -> None:
        split_orders(self.open[-3:], self.now)
        dispatch_due_slices(self.now)

    def execute(self) -> None:
        """A message for any slices, due or not, as often as it pleases."""
        known = self.slices()
        execute_slices(self.chance.sample(known, min(len(known), 12)), lambda: self.now).check()

    def slices(self) -> list[str]:
        with db.statement() as connection:
            return list(connection.scalars(_SLICES, {"orders": self.open[-8:]}))

    def steer(self) -> None:
        if self.open:
            owner, order_id = OneAccount(self.account), self.chance.choice(self.open[-8:])
            with suppress(InvalidState):
                match self.chance.randrange(4):
                    case 0:
                        cancel_order(owner, order_id, self.now, "ops")
                    case 1:
                        pause_order(owner, order_id, "ops", self.now)
                    case _:
                        resume_order(owner, order_id, "ops", self.now)


def instants(chance: Random) -> Iterator[datetime]:
    """Some of each day: at the edges of its phases, and anywhere."""
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        some = [
            time.fromisoformat(one)
            for one in (("18:00", "18:30", "18:59") if day == DIWALI else chance.sample(EDGES, 3))
        ]
        some += [time(chance.randrange(24), chance.randrange(60), chance.randrange(60))]
        some += [time(chance.randrange(9, 16), chance.randrange(60)) for _ in range(2)]
        for one in sorted(some):
            yield datetime.combine(day, one, INDIA).astimezone(UTC)


@pytest.mark.timeout(300)
def test_in_thirty_days_no_slice_leaves_outside_its_phase(broker: SimulatedBroker) -> None:
    chance = Random(20261019)
    for exchange in ("NSE", "BSE"):
        overrides.override_day(
            exchange, DIWALI, Statement([Span(time(18), time(19))]), "Muhurat trading", "ops", utcnow()
        )
    world = World(broker, chance, an_account(), datetime.combine(FIRST, time(0), UTC))

    for world.now in instants(chance):
        world.order()
        for deed in chance.sample([world.sweep, world.execute, world.steer], 3):
            deed()

    outside = [(at.astimezone(INDIA), placement) for at, placement in world.placed if not may_leave(at, placement)]
    assert outside == []
    # Each kind of day and phase was met, or this would show nothing.
    left_on = {at.astimezone(INDIA).date() for at, _ in world.placed}
    left_at = {at.astimezone(INDIA).time() for at, _ in world.placed}
    assert DIWALI in left_on
    assert len(left_on) > 15
    assert any(time(15, 20) <= one < time(15, 28) for one in left_at)
    assert world.refused["MARKET_CLOSED"] > 20
