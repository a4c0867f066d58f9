"""One look tells which sweeps may find something: none that would is left out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.webhooks import add_webhook
from pulse_core.outlook import ALWAYS, TOLD_BY, sweeps_with_work
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import PERIODS, Task
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import SimulatedBroker
from tests.support.deliveries import deliver_due
from tests.support.factories import a_split_order, an_account, an_alarm, an_order, slices_of

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture(autouse=True)
def _no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "wake", lambda *_args, **_options: None)
    monkeypatch.setattr(queue, "send", lambda _wakeups: None)


def put(status: SliceStatus, **changes: object) -> None:
    """One order whose slices all have a status, and are due in an hour."""
    order_id = a_split_order(utcnow() + timedelta(hours=1))
    facts: dict[str, object] = {"status": status, **changes}
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.order_id == order_id).values(**facts))


def put_order(status: OrderStatus) -> None:
    put(SliceStatus.SCHEDULED)
    with db.transaction() as session:
        session.execute(update(Order).values(status=status))


def working() -> None:
    put(SliceStatus.WORKING, broker_order_id="1", deadline_at=utcnow() + timedelta(hours=1))


def alarmed() -> None:
    an_alarm(slices_of(a_split_order(utcnow() + timedelta(hours=1)))[0])


# Those of an order that has just arrived.
NEW = {Task.READ_PRICES}
LIVE = {Task.FINISH_ORDERS, *NEW}
STATES: dict[str, tuple[Callable[[], object], set[Task]]] = {
    "nothing": (lambda: None, set()),
    "an order to split": (an_order, {Task.SPLIT_FORGOTTEN_ORDERS, *NEW}),
    "slices of a later time": (lambda: put(SliceStatus.SCHEDULED), LIVE),
    "a slice that comes into the horizon": (
        lambda: a_split_order(utcnow() + timedelta(seconds=settings().dispatch_horizon)),
        {Task.DISPATCH_DUE_SLICES, *LIVE},
    ),
    "a claim": (lambda: put(SliceStatus.SENDING, lease_expires_at=utcnow() + timedelta(minutes=1)), LIVE),
    "a claim past its lease": (
        lambda: put(SliceStatus.SENDING, lease_expires_at=utcnow()),
        {Task.EXPIRE_CLAIMS, *LIVE},
    ),
    "a doubt": (
        lambda: put(SliceStatus.UNKNOWN, resolve_at=utcnow() + timedelta(minutes=1)),
        {Task.RESOLVE_SLICES, *LIVE},
    ),
    "a working slice": (working, {Task.TRACK_SLICES, Task.CANCEL_SLICES, Task.END_DAY, *LIVE}),
    "a paused order": (lambda: put_order(OrderStatus.PAUSED), {Task.END_FORGOTTEN_PAUSES, *LIVE}),
    "an order that is being cancelled": (lambda: put_order(OrderStatus.CANCELLING), LIVE),
    "an alarm": (
        lambda: an_alarm(slices_of(a_split_order(utcnow() + timedelta(hours=1)))[0]),
        {Task.RESOLVE_ALARMS, *LIVE},
    ),
    "a webhook": (
        lambda: add_webhook(an_account(), "https://93.184.216.34/hook", utcnow()),
        {Task.DELIVER_WEBHOOKS},
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_a_look_tells_the_sweeps_that_may_find_something(state: str) -> None:
    make, expected = STATES[state]
    make()

    assert sweeps_with_work() == ALWAYS | expected


def test_a_look_is_thought_of_for_every_sweep() -> None:
    told = [task for tasks in TOLD_BY.values() for task in tasks]

    assert sorted({*told, *ALWAYS}) == sorted(PERIODS) == sorted(SWEEPS)
    assert {
        Task.WATCH_HOLD,
        Task.RECONCILE,
        Task.LOAD_INSTRUMENTS,
        Task.COMPARE_CALENDARS,
        Task.FORGET_ANSWERS,
    } == ALWAYS


def test_where_a_look_finds_nothing_no_sweep_does(broker: SimulatedBroker) -> None:
    put(SliceStatus.SCHEDULED)

    # This one begins in a thread of its own, and says no more than that.
    left_out = SWEEPS.keys() - sweeps_with_work() - {Task.DELIVER_WEBHOOKS}

    assert deliver_due(utcnow()) == 0
    assert {name: SWEEPS[name].run(utcnow()) for name in left_out} == dict.fromkeys(left_out, 0)
