"""What an alarm says may be reworded, and nothing is decided otherwise: codes are compared, sentences are read."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode, HoldCode
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.operations import slice_history
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.store import events, installation
from pulse_core.trading.tables import Installation
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_split_order, settle_delay, slices_of


def reword(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (*AlarmCode, *HoldCode):
        monkeypatch.setattr(code, "meaning", f"in other words: {code}")


def test_what_was_told_before_it_was_reworded_is_not_told_again(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = slices_of(a_split_order())[0]
    with db.transaction() as session:
        events.alarm(session, AlarmCode.NO_ROOM, first.order_id, first.id, utcnow(), broker_order_id="B1")

    reword(monkeypatch)

    with db.transaction() as session:
        told = [
            events.was_raised(session, first.id, AlarmCode.NO_ROOM, broker_order_id="B1"),
            events.was_raised(session, first.id, AlarmCode.NO_ROOM, broker_order_id="B2"),
            events.was_raised(session, first.id, AlarmCode.TURNED_UP),
            events.was_raised_for(session, first.order_id, AlarmCode.NO_ROOM),
        ]
    assert told == [True, False, False, True]


def test_an_alarm_is_stored_with_its_code_and_its_sentence_of_the_day(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = slices_of(a_split_order())[0]
    with db.transaction() as session:
        events.alarm(session, AlarmCode.DAY_OVER, first.order_id, first.id, utcnow())
        reword(monkeypatch)
        events.alarm(session, AlarmCode.DAY_OVER, first.order_id, first.id, utcnow())

    told = [one.detail for one in slice_history(first.id).events if one.kind is EventKind.ALARM]
    assert told == [
        {"code": "DAY_OVER", "alarm": "the book of the day is closed on an unknown slice"},
        {"code": "DAY_OVER", "alarm": "in other words: DAY_OVER"},
    ]


@pytest.mark.parametrize(
    ("code", "is_ended"), [(HoldCode.ANOTHER_DATABASE, True), (HoldCode.FIRST_LOOK, False), (None, False)]
)
def test_which_hold_ends_by_itself_follows_from_its_code_and_a_hold_without_one_waits_for_an_operator(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, code: HoldCode | None, is_ended: bool
) -> None:
    now = utcnow()
    with db.transaction() as session:
        installation.know_database(session, sending_hold._present(session))
        installation.hold(session, HoldCode.ANOTHER_DATABASE, now)
        session.execute(update(Installation).values(hold_code=code))

    reword(monkeypatch)
    until = now + settle_delay() + timedelta(seconds=10)
    while now < until:
        now += timedelta(seconds=3)
        sending_hold.watch_hold(now)
        reconcile(now)

    assert (sending_hold.standing().hold is None) == is_ended
    sending_hold.release("the test")
