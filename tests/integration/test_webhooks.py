"""Events are posted in order and signed, again after a failure, and not for ever."""

import hmac
from collections.abc import Iterator
from datetime import timedelta

import pytest

from api_contract.errors import InvalidRequest, InvalidState, NotFound
from pulse_core import config, db
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.events.store.webhooks import of_account
from pulse_core.events.webhooks import deliver_due
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from tests.support.factories import an_account, an_order
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture(autouse=True)
def loopback_receivers(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_HTTP", "true")
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()
    yield
    monkeypatch.undo()
    config.settings.cache_clear()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def test_events_arrive_in_order_each_once_and_signed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BATCH", 2)
    account = an_account()
    an_order(account_id=account)
    made = webhooks.add_webhook(account, receiver.url, utcnow())
    for _ in range(3):
        an_order(account_id=account)
    while deliver_due(utcnow()):
        pass

    assert receiver.event_ids() == [2, 3, 4]
    for one in receiver.deliveries:
        at, given = (part.partition("=")[2] for part in one.headers["Pulse-Signature"].split(","))
        assert given == hmac.digest(made.secret.encode(), f"{at}.".encode() + one.body, "sha256").hex()
        assert one.headers["Pulse-Webhook-Id"] == made.webhook.id


@pytest.mark.parametrize("status", [500, 302, 404, 0])
def test_what_was_not_taken_is_posted_again_later(receiver: Receiver, status: int) -> None:
    receiver.statuses.append(status)
    account, now = an_account(), utcnow()
    webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)

    assert deliver_due(now) == 0
    assert deliver_due(now) == 0
    assert len(receiver.deliveries) == 1
    (failing,) = webhooks.list_webhooks(account)
    assert (failing.failures, failing.failing_since, failing.delivered_sequence) == (1, now, 0)

    assert deliver_due(now + timedelta(seconds=2)) == 1
    (well,) = webhooks.list_webhooks(account)
    assert (well.failures, well.failing_since, well.last_error, well.delivered_sequence) == (0, None, None, 1)
    assert receiver.event_ids() == [1, 1]


def test_a_day_of_failures_ends_a_webhook_until_it_is_enabled(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)
    receiver.statuses += [500] * 2
    for later in (timedelta(0), timedelta(hours=25)):
        deliver_due(now + later)
    (dead,) = webhooks.list_webhooks(account)
    assert (dead.disabled_at, dead.last_error) == (now + timedelta(hours=25), "answered 500")
    assert deliver_due(now + timedelta(days=9)) == 0

    webhooks.enable_webhook(account, made.webhook.id, now)

    assert deliver_due(now) == 1
    assert receiver.event_ids() == [1, 1, 1]


def test_a_receiver_that_fails_holds_up_no_other(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    with running_receiver() as broken:
        webhooks.add_webhook(account, broken.url, now)
    webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)

    assert deliver_due(now) == 1
    assert receiver.event_ids() == [1]
    assert [one.last_error for one in webhooks.list_webhooks(account)] == ["no connection", None]


def test_the_sweep_does_not_wait_for_a_slow_receiver(receiver: Receiver) -> None:
    receiver.statuses.append(0)
    account = an_account()
    webhooks.add_webhook(account, receiver.url, utcnow())
    an_order(account_id=account)
    SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow())
    wait_until(lambda: receiver.deliveries)

    assert SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow()) == 0
    wait_until(lambda: webhooks.list_webhooks(account)[0].last_error == "no answer in time")
    wait_until(lambda: SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow()) and receiver.event_ids() == [1, 1])


def test_two_deliverers_do_not_post_side_by_side(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)
    with db.transaction() as session:
        (seen,) = of_account(session, account)

    assert webhooks._deliver(seen, now)
    assert not webhooks._deliver(seen, now)
    assert receiver.event_ids() == [1]


def test_a_host_that_stopped_being_public_gets_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    account, now = an_account(), utcnow()
    webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_PRIVATE", "false")
    config.settings.cache_clear()

    assert deliver_due(now) == 0
    assert receiver.deliveries == []
    assert webhooks.list_webhooks(account)[0].last_error == "the host is not public"


def test_an_account_has_a_few_webhooks_of_its_own(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = [webhooks.add_webhook(account, receiver.url, now) for _ in range(5)]

    with pytest.raises(InvalidState):
        webhooks.add_webhook(account, receiver.url, now)
    for touch in (webhooks.remove_webhook, lambda who, which: webhooks.enable_webhook(who, which, now)):
        with pytest.raises(NotFound):
            touch(an_account(), made[0].webhook.id)
    webhooks.remove_webhook(account, made[0].webhook.id)
    assert len(webhooks.list_webhooks(account)) == 4
    assert len({one.secret for one in made}) == 5
    with pytest.raises(InvalidRequest):
        webhooks.add_webhook(account, "ftp://example.com", now)
