"""Events are posted in order and signed, again after a failure, and not for ever, to receivers that agreed to it."""

import base64
import hmac
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.vocabulary import DeliveryKind, DeliveryStatus, WebhookStatus
from pulse_client.webhook_check import is_genuine
from pulse_core import config, db
from pulse_core.clock import utcnow
from pulse_core.events import delivery, outbound, resolving, webhook_secrets, webhooks
from pulse_core.events.outbound_rules import Policy, Unreachable, target_of
from pulse_core.events.resolving import Resolver
from pulse_core.events.store import webhooks as store
from pulse_core.owner import OneAccount
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from tests.support.deliveries import an_active_webhook, deliver_due, execute, loopback_allowed
from tests.support.factories import an_account, an_order
from tests.support.processes import wait_until
from tests.support.receiver import Receiver, running_receiver
from tests.support.settings import started_with


@pytest.fixture(autouse=True)
def loopback_receivers(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loopback_allowed(monkeypatch):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def shown(account: str) -> webhooks.WebhookReport:
    [found] = webhooks.list_webhooks(account)
    return found


def test_a_webhook_is_pending_until_a_test_was_accepted_and_events_wait_until_then(receiver: Receiver) -> None:
    receiver.statuses.append(403)
    account, now = an_account(), utcnow()
    made = webhooks.add_webhook(account, receiver.url, now)
    an_order(account_id=account)
    assert made.webhook.status is WebhookStatus.PENDING

    assert deliver_due(now) == 0
    assert (shown(account).status, shown(account).last_error) == (WebhookStatus.PENDING, "answered 403")
    assert (receiver.tests, receiver.event_ids()) == (1, [])

    assert deliver_due(now + timedelta(seconds=2)) == 2
    well = shown(account)
    assert (well.status, well.last_error, well.delivered_sequence) == (WebhookStatus.ACTIVE, None, 1)
    assert well.verified_at == now + timedelta(seconds=2)
    assert (receiver.tests, receiver.event_ids()) == (2, [1])


def test_events_arrive_in_order_each_once_and_signed(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BATCH", 2)
    account = an_account()
    an_order(account_id=account)
    made = an_active_webhook(account, receiver)
    for _ in range(3):
        an_order(account_id=account)
    deliver_due(utcnow())

    assert receiver.event_ids() == [2, 3, 4]
    for one in receiver.deliveries:
        at, given = (part.partition("=")[2] for part in one.headers["Pulse-Signature"].split(","))
        assert given == hmac.digest(made.secret.encode(), f"{at}.".encode() + one.body, "sha256").hex()
        assert one.headers["Pulse-Webhook-Id"] == made.webhook.id
        assert is_genuine(one.headers, one.body, made.secret)
        assert not is_genuine(one.headers, one.body + b" ", made.secret)
        assert not is_genuine(one.headers, one.body, made.secret, now=time.time() + 600)
    assert len({one.headers["webhook-id"] for one in receiver.deliveries}) == 2


def test_one_connection_carries_what_follows(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BATCH", 1)
    account = an_account()
    an_active_webhook(account, receiver)
    for _ in range(5):
        an_order(account_id=account)
    deliver_due(utcnow())

    assert receiver.event_ids() == [1, 2, 3, 4, 5]
    assert receiver.connections == 1


def test_a_connection_that_the_receiver_has_closed_is_opened_again(receiver: Receiver) -> None:
    account = an_account()
    an_active_webhook(account, receiver)
    for line in delivery._lines._resting.values():
        line._connection.sock.shutdown(2)
    an_order(account_id=account)

    assert deliver_due(utcnow()) == 1
    assert (receiver.event_ids(), shown(account).failures) == ([1], 0)


@pytest.mark.parametrize("status", [500, 302, 404, 0])
def test_what_was_not_taken_is_posted_again_later(receiver: Receiver, status: int) -> None:
    account, now = an_account(), utcnow()
    an_active_webhook(account, receiver, now)
    receiver.statuses.append(status)
    an_order(account_id=account)

    assert deliver_due(now) == 0
    assert deliver_due(now) == 0
    assert len(receiver.deliveries) == 1
    failing = shown(account)
    assert (failing.failures, failing.failing_since, failing.delivered_sequence) == (1, now, 0)

    assert deliver_due(now + timedelta(seconds=2)) == 1
    well = shown(account)
    assert (well.failures, well.failing_since, well.last_error, well.delivered_sequence) == (0, None, None, 1)
    assert receiver.event_ids() == [1, 1]


def test_a_day_of_failures_ends_a_webhook_until_it_is_enabled(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now)
    an_order(account_id=account)
    receiver.statuses += [500] * 2
    for later in (timedelta(0), timedelta(hours=25)):
        deliver_due(now + later)
    dead = shown(account)
    assert (dead.disabled_at, dead.last_error) == (now + timedelta(hours=25), "answered 500")
    assert (dead.status, dead.disabled_by) == (WebhookStatus.DISABLED, None)
    assert deliver_due(now + timedelta(days=9)) == 0

    webhooks.enable_webhook(OneAccount(account), made.webhook.id, account, now)

    assert deliver_due(now) == 1
    assert receiver.event_ids() == [1, 1, 1]


def test_the_sweep_does_not_wait_for_a_slow_receiver(receiver: Receiver) -> None:
    account = an_account()
    an_active_webhook(account, receiver)
    receiver.statuses.append(0)
    an_order(account_id=account)
    SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow())
    wait_until(lambda: receiver.deliveries)

    assert SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow()) == 0
    wait_until(lambda: shown(account).last_error == "no answer in time")
    wait_until(lambda: SWEEPS[Task.DELIVER_WEBHOOKS].run(utcnow()) or receiver.event_ids() == [1, 1])
    wait_until(lambda: receiver.event_ids() == [1, 1])


def test_two_deliverers_do_not_post_side_by_side(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    an_active_webhook(account, receiver, now)
    an_order(account_id=account)
    with db.transaction() as session:
        [(seen, _)] = store.of_account(session, account)

    assert delivery.take_turn(seen, Resolver(1, 1), lambda: now).accepted == 1
    assert delivery.take_turn(seen, Resolver(1, 1), lambda: now).accepted == 0
    assert receiver.event_ids() == [1]


def test_a_host_that_stopped_being_public_gets_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    account, now = an_account(), utcnow()
    an_active_webhook(account, receiver, now)
    an_order(account_id=account)
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_PRIVATE", "false")
    monkeypatch.setenv("PULSE_WEBHOOK_PORTS", receiver.url.rpartition(":")[2])
    config.settings.cache_clear()

    assert deliver_due(now) == 0
    assert receiver.deliveries == []
    assert shown(account).last_error == "the host has no public address"


def test_a_name_is_looked_up_for_every_connection_and_each_of_its_addresses_must_be_public(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = Policy(allow_http=True, allow_private=False, ports={int(receiver.url.rpartition(":")[2])})
    target = target_of(receiver.url.replace("127.0.0.1", "receiver.example"), public)
    answers = iter([["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]])
    resolver = Resolver(1, 1, lambda _host: next(answers))
    for _ in range(2):
        with pytest.raises(Unreachable, match="no public address"):
            outbound.connect(target, resolver.addresses(target.host, "acc_1"), public)
    assert receiver.connections == 0

    asked: list[str] = []
    monkeypatch.setattr(resolving, "look_up", lambda host: asked.append(host) or ["127.0.0.1"])
    account = an_account()
    webhooks.add_webhook(account, receiver.url.replace("127.0.0.1", "receiver.example"), utcnow())
    assert deliver_due(utcnow()) == 1
    assert (asked, receiver.deliveries[0].headers["Host"]) == (["receiver.example"], target.host + f":{target.port}")


def test_only_types_that_were_asked_for_are_posted_and_the_rest_is_passed_over(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now, types=["slice.*", "order.cancelled"])
    an_order(account_id=account)
    assert deliver_due(now) == 0
    assert (receiver.deliveries, shown(account).delivered_sequence) == ([], 1)
    assert made.webhook.types == ["order.cancelled", "slice.*"]

    execute(
        "INSERT INTO slice_events (account_id, order_id, at, kind, to_status, detail)"
        " SELECT account_id, id, now(), 'MOVE', 'CANCELLED', '{}' FROM orders"
    )
    assert deliver_due(now) == 1
    assert receiver.event_ids() == [2]


def test_a_secret_is_rolled_and_both_sign_for_a_while(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now)
    # As a webhook of an older version is stored.
    execute("UPDATE webhooks SET sealed_secret = NULL")
    derived = webhook_secrets.derived_secret(made.webhook.id)
    an_order(account_id=account)
    deliver_due(now)
    rolled = webhooks.roll_secret(account, made.webhook.id, now, timedelta(hours=1))
    for at in (now, now + timedelta(hours=2)):
        an_order(account_id=account)
        deliver_due(at)

    genuine = [
        [is_genuine(one.headers, one.body, secret, at.timestamp()) for secret in (derived, rolled.secret)]
        for one, at in zip(receiver.deliveries, (now, now, now + timedelta(hours=2)), strict=True)
    ]
    assert genuine == [[True, False], [True, True], [False, True]]
    assert receiver.deliveries[1].headers["Pulse-Signature"].count("v1=") == 2
    assert rolled.webhook.previous_secret_until == now + timedelta(hours=1)
    assert rolled.secret not in str(execute("SELECT * FROM webhooks"))
    assert len(base64.b64decode(rolled.secret.removeprefix("whsec_"))) == 32


def test_a_secret_that_cannot_be_read_stops_deliveries_until_it_is_rolled(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now)
    an_order(account_id=account)
    monkeypatch.setenv("PULSE_WEBHOOK_KEY", secrets.token_urlsafe(32))
    config.settings.cache_clear()
    assert deliver_due(now) == 0
    assert shown(account).last_error == "its secret cannot be read: make a new one"

    rolled = webhooks.roll_secret(account, made.webhook.id, now)
    assert deliver_due(now + timedelta(seconds=2)) == 1
    assert is_genuine(receiver.deliveries[0].headers, receiver.deliveries[0].body, rolled.secret)


def test_a_test_and_an_event_are_posted_on_demand_and_the_log_tells_what_came_of_it(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now - timedelta(seconds=1))
    for _ in range(2):
        an_order(account_id=account)
    deliver_due(now)
    receiver.statuses.append(500)
    asked = webhooks.ask_for_test(account, made.webhook.id, now + timedelta(seconds=1))
    again = webhooks.ask_for_redelivery(account, made.webhook.id, 1, now + timedelta(seconds=2))
    assert (asked.status, again.status) == (DeliveryStatus.WAITING, DeliveryStatus.WAITING)
    for _ in range(2):
        deliver_due(now + timedelta(seconds=3))

    page = webhooks.delivery_page(account, made.webhook.id, 3, None)
    assert [(one.kind, one.status, one.first_event_id, one.last_event_id) for one in page.deliveries] == [
        (DeliveryKind.REDELIVERY, DeliveryStatus.DELIVERED, 1, 1),
        (DeliveryKind.TEST, DeliveryStatus.FAILED, None, None),
        (DeliveryKind.EVENTS, DeliveryStatus.DELIVERED, 1, 2),
    ]
    [first] = webhooks.delivery_page(account, made.webhook.id, 3, page.next_cursor).deliveries
    assert (first.kind, first.status) == (DeliveryKind.TEST, DeliveryStatus.DELIVERED)
    failed = page.deliveries[1]
    assert (failed.id, failed.answer_status, failed.error) == (asked.id, 500, "answered 500")
    assert (shown(account).failures, receiver.event_ids()) == (0, [1, 2, 1])


def test_the_log_of_deliveries_and_what_may_wait_are_bounded(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "BATCH", 1)
    account, now = an_account(), utcnow()
    made = an_active_webhook(account, receiver, now)
    for _ in range(12):
        an_order(account_id=account)
    with started_with("PULSE_RETENTION_WEBHOOK_DELIVERIES", "10"):
        deliver_due(now)
    assert len(webhooks.delivery_page(account, made.webhook.id, 50, None).deliveries) == 10

    for _ in range(webhooks.MOST_WAITING):
        webhooks.ask_for_test(account, made.webhook.id, now)
    with pytest.raises(InvalidState):
        webhooks.ask_for_test(account, made.webhook.id, now)
    assert deliver_due(now) == webhooks.MOST_WAITING
    for wrong in (0, 13):
        with pytest.raises(InvalidRequest):
            webhooks.ask_for_redelivery(account, made.webhook.id, wrong, now)


def test_an_account_has_a_few_webhooks_of_its_own(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    made = [webhooks.add_webhook(account, receiver.url, now) for _ in range(5)]

    with pytest.raises(InvalidState):
        webhooks.add_webhook(account, receiver.url, now)
    stranger = OneAccount(an_account())
    for touch in (webhooks.remove_webhook, webhooks.enable_webhook, webhooks.disable_webhook):
        with pytest.raises(NotFound):
            touch(stranger, made[0].webhook.id, account, now)
    webhooks.remove_webhook(OneAccount(account), made[0].webhook.id, account, now)
    assert len(webhooks.list_webhooks(account)) == 4
    assert len({one.secret for one in made}) == 5
    with pytest.raises(InvalidRequest):
        webhooks.add_webhook(account, "ftp://example.com", now)


def test_no_race_makes_a_sixth_webhook() -> None:
    account, now = an_account(), utcnow()

    def add(_number: int) -> bool:
        try:
            webhooks.add_webhook(account, "https://93.184.216.34/", now)
        except InvalidState:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(add, range(10))) == webhooks.MOST_OF_ACCOUNT
    assert len(webhooks.list_webhooks(account)) == webhooks.MOST_OF_ACCOUNT
