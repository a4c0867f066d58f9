"""Operators follow alarms of every account in one feed without a gap, and have them posted for as long as they may."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from api_contract.scopes import Role
from api_contract.vocabulary import WebhookFeed
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events import alarm_feed
from pulse_core.identity import accounts
from pulse_core.trading import inbox
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import events
from tests.support.deliveries import an_active_webhook, deliver_due, loopback_allowed
from tests.support.factories import a_split_order, an_account, an_alarm, slices_of
from tests.support.receiver import running_receiver


@pytest.fixture(autouse=True)
def loopback_receivers(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loopback_allowed(monkeypatch):
        yield


def test_what_commits_late_is_read_after_what_was_read_before_it() -> None:
    parts = slices_of(a_split_order())
    with db.transaction() as session:
        events.alarm(session, AlarmCode.NO_ROOM, parts[0].order_id, parts[0].id, utcnow())
        an_alarm(parts[1])
        first = alarm_feed.alarm_events(0, 10).events
    later = alarm_feed.alarm_events(1, 10).events

    assert [(one.event_id, one.slice_id) for one in (*first, *later)] == [(1, parts[1].id), (2, parts[0].id)]


def test_many_readers_number_each_event_once() -> None:
    for one in slices_of(a_split_order()):
        an_alarm(one)
        an_alarm(one, AlarmCode.NO_ROOM)

    with ThreadPoolExecutor(6) as pool:
        pages = list(pool.map(lambda _: alarm_feed.alarm_events(0, 100).events, range(6)))

    assert {tuple(one.event_id for one in page) for page in pages} == {tuple(range(1, 11))}


def test_a_long_past_is_numbered_part_by_part_and_the_reader_is_led_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_feed, "NUMBERED_AT_ONCE", 2)
    for one in slices_of(a_split_order()):
        an_alarm(one)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = alarm_feed.alarm_events(after, 100)
        seen += [one.event_id for one in page.events]
        after = page.next_after

    assert seen == [1, 2, 3, 4, 5]


def test_alarms_are_posted_to_operators_only_and_only_as_long_as_they_are_operators() -> None:
    operator, owner = an_account(), an_account()
    accounts.change_account(operator, utcnow(), role=Role.OPERATOR)
    parts = slices_of(a_split_order(account_id=owner))
    an_alarm(parts[0])
    with running_receiver() as receiver:
        an_active_webhook(operator, receiver, feed_=WebhookFeed.ALARMS)
        alarm_id = an_alarm(parts[1], AlarmCode.NO_ROOM)
        inbox.resolve_alarm(alarm_id, "anna", utcnow())
        deliver_due(utcnow())
        accounts.change_account(operator, utcnow(), role=Role.TRADER)
        an_alarm(parts[2])
        assert deliver_due(utcnow()) == 0

        told = [event for one in receiver.deliveries for event in one.events]
        assert [(one["event_id"], one["type"], one["actor"]) for one in told] == [
            (2, "alarm.raised", "pulse"), (3, "alarm.resolved", "anna"),
        ]  # fmt: skip
        assert {(one["alarm_id"], one["code"], one["slice_id"], one["account_id"]) for one in told} == {
            (alarm_id, "NO_ROOM", parts[1].id, owner)
        }
