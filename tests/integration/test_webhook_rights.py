"""What has ended posts nothing more: accounts, keys, and what an admin has disabled. Who did what is written down."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from api_contract.errors import InvalidState, NotFound
from api_contract.scopes import Role, Scope
from api_contract.vocabulary import WebhookFeed, WebhookStatus
from pulse_core.clock import utcnow
from pulse_core.events import resolving, webhooks
from pulse_core.identity import accounts, api_keys
from pulse_core.owner import EveryAccount, OneAccount
from tests.support.deliveries import an_active_webhook, deliver_due, execute, loopback_allowed
from tests.support.factories import an_account, an_order
from tests.support.receiver import Receiver, running_receiver


@pytest.fixture(autouse=True)
def loopback_receivers(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with loopback_allowed(monkeypatch):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def disable_account(account: str, _key_id: str, _webhook_id: str) -> None:
    accounts.change_account(account, utcnow(), is_active=False)


def revoke_key(_account: str, key_id: str, _webhook_id: str) -> None:
    api_keys.revoke_key(EveryAccount(), key_id, "anna", utcnow())


def let_key_expire(_account: str, _key_id: str, _webhook_id: str) -> None:
    execute("UPDATE api_keys SET created_at = now() - interval '9 days', expires_at = now()")


def disable_webhook(_account: str, _key_id: str, webhook_id: str) -> None:
    webhooks.disable_webhook(EveryAccount(), webhook_id, "anna", utcnow())


ENDS = [disable_account, revoke_key, let_key_expire, disable_webhook]
End = Callable[[str, str, str], None]


def a_key(account: str) -> str:
    return api_keys.add_key(account, "bot", [Scope.WEBHOOKS_WRITE], 30, utcnow()).key.id


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__)
def test_what_has_ended_posts_nothing_more(receiver: Receiver, end: End) -> None:
    account = an_account()
    key_id = a_key(account)
    made = an_active_webhook(account, receiver, key_id=key_id)
    an_order(account_id=account)
    webhooks.ask_for_test(account, made.webhook.id, utcnow())
    end(account, key_id, made.webhook.id)

    assert deliver_due(utcnow() + timedelta(hours=1)) == 0
    assert receiver.deliveries == []
    [found] = webhooks.list_webhooks(account)
    assert found.status is (WebhookStatus.DISABLED if end is disable_webhook else WebhookStatus.ENDED)
    with pytest.raises(InvalidState):
        webhooks.ask_for_test(account, made.webhook.id, utcnow())


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__)
def test_what_ends_while_a_name_is_looked_up_posts_nothing_either(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, end: End
) -> None:
    account = an_account()
    key_id = a_key(account)
    url = receiver.url.replace("127.0.0.1", "receiver.example")
    made = webhooks.add_webhook(account, url, utcnow(), key_id=key_id)

    def look_up(_host: str) -> list[str]:
        end(account, key_id, made.webhook.id)
        return ["127.0.0.1"]

    monkeypatch.setattr(resolving, "look_up", look_up)
    monkeypatch.setattr("pulse_core.events.delivery.FRESH_SECONDS", 0.0)

    assert deliver_due(utcnow()) == 0
    assert receiver.deliveries == []


def test_a_webhook_goes_on_after_its_account_is_enabled_again(receiver: Receiver) -> None:
    account = an_account()
    an_active_webhook(account, receiver)
    accounts.change_account(account, utcnow(), is_active=False)
    an_order(account_id=account)
    assert deliver_due(utcnow()) == 0
    accounts.change_account(account, utcnow(), is_active=True)

    assert deliver_due(utcnow()) == 1
    assert receiver.event_ids() == [1]


def test_a_disabled_account_makes_no_webhook() -> None:
    account = an_account()
    accounts.change_account(account, utcnow(), is_active=False)

    with pytest.raises(NotFound):
        webhooks.add_webhook(account, "https://93.184.216.34/", utcnow())


def test_its_account_enables_what_it_has_disabled_and_not_what_an_admin_has(receiver: Receiver) -> None:
    account, now = an_account(), utcnow()
    own, made = OneAccount(account), an_active_webhook(account, receiver, now).webhook.id
    assert webhooks.disable_webhook(own, made, account, now).disabled_by == account
    assert webhooks.enable_webhook(own, made, account, now).status is WebhookStatus.ACTIVE

    webhooks.disable_webhook(EveryAccount(), made, "anna", now)
    assert webhooks.disable_webhook(own, made, account, now).disabled_by == "anna"
    with pytest.raises(InvalidState, match="an admin"):
        webhooks.enable_webhook(own, made, account, now)
    assert webhooks.enable_webhook(EveryAccount(), made, "anna", now).status is WebhookStatus.ACTIVE


def test_who_added_disabled_enabled_rolled_and_removed_a_webhook_is_written_down() -> None:
    account, now = an_account(), utcnow()
    made = webhooks.add_webhook(account, "https://93.184.216.34/a-secret-path", now).webhook.id
    webhooks.disable_webhook(EveryAccount(), made, "anna", now)
    webhooks.enable_webhook(EveryAccount(), made, "anna", now)
    webhooks.roll_secret(account, made, now)
    webhooks.remove_webhook(EveryAccount(), made, "anna", now)

    found = execute("SELECT action, actor, detail FROM audit_entries WHERE subject = :id ORDER BY id", id=made)
    assert [(one.action, one.actor) for one in found] == [
        ("webhook.added", account),
        ("webhook.disabled", "anna"),
        ("webhook.enabled", "anna"),
        ("webhook.secret_rolled", account),
        ("webhook.removed", "anna"),
    ]
    assert found[0].detail == {"account_id": account, "key_id": None, "host": "93.184.216.34"}


def test_admins_read_all_webhooks_page_by_page() -> None:
    now = utcnow()
    made = [
        webhooks.add_webhook(an_account(), "https://93.184.216.34/", now + timedelta(seconds=number)).webhook
        for number in range(3)
    ]

    first = webhooks.webhook_page(EveryAccount(), 2, None)
    rest = webhooks.webhook_page(EveryAccount(), 2, first.next_cursor)
    assert [one.id for one in (*first.webhooks, *rest.webhooks)] == [one.id for one in reversed(made)]
    assert rest.next_cursor is None
    assert webhooks.webhook_page(OneAccount(made[0].account_id), 2, None).webhooks == [made[0]]


def test_alarms_go_to_nobody_who_may_not_see_them_any_more(receiver: Receiver) -> None:
    operator = an_account()
    accounts.change_account(operator, utcnow(), role=Role.OPERATOR)
    an_active_webhook(operator, receiver, feed_=WebhookFeed.ALARMS)
    accounts.change_account(operator, utcnow(), role=Role.TRADER)

    [found] = webhooks.list_webhooks(operator)
    assert found.status is WebhookStatus.ENDED
