"""Where accounts have their events posted, or those of alarms: made, listed, tried, rolled, disabled and removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.ids import DELIVERY_ID, WEBHOOK_ID
from api_contract.versions import Expected, etag_of
from api_contract.vocabulary import DeliveryKind, DeliveryStatus, WebhookFeed, WebhookStatus
from pulse_core import cursors, db, queue
from pulse_core.events import alarm_feed, feed, webhook_secrets
from pulse_core.events.delivery import policy
from pulse_core.events.outbound_rules import Unreachable, target_of
from pulse_core.events.store import deliveries, webhooks
from pulse_core.events.tables import Webhook, WebhookDelivery
from pulse_core.identity.store import audit
from pulse_core.owner import EveryAccount, OneAccount, Owner
from pulse_core.sealing import Unreadable
from pulse_core.tasks import Task

MOST_OF_ACCOUNT = 5
MOST_WAITING = 10
DAY = timedelta(days=1)


@dataclass(frozen=True)
class WebhookReport:
    """A webhook, and how far it has come: `delivered_sequence` is the last event that was taken there.

    `disabled_by` None with `disabled_at`: given up by Pulse. `previous_secret_until`: two secrets sign until then.
    """

    id: str
    account_id: str
    key_id: str | None
    url: str
    feed: WebhookFeed
    types: Sequence[str] | None
    status: WebhookStatus
    created_at: datetime
    verified_at: datetime | None
    disabled_at: datetime | None
    disabled_by: str | None
    delivered_sequence: int
    failing_since: datetime | None
    failures: int
    last_error: str | None
    previous_secret_until: datetime | None


@dataclass(frozen=True)
class NewSecret:
    """A webhook and the secret that signs its deliveries from now on."""

    webhook: WebhookReport
    secret: str


@dataclass(frozen=True)
class WebhookPage:
    """A page of webhooks, and the cursor of the next one; None after the last."""

    webhooks: Sequence[WebhookReport]
    next_cursor: str | None


@dataclass(frozen=True)
class DeliveryReport:
    """What was posted to a webhook, or waits to be: the events from `first_event_id` to `last_event_id`."""

    id: str
    kind: DeliveryKind
    status: DeliveryStatus
    first_event_id: int | None
    last_event_id: int | None
    asked_at: datetime
    posted_at: datetime | None
    answer_status: int | None
    error: str | None
    duration_ms: int | None


@dataclass(frozen=True)
class DeliveryPage:
    """A page of deliveries, and the cursor of the next one; None after the last."""

    deliveries: Sequence[DeliveryReport]
    next_cursor: str | None


def add_webhook(
    account_id: str,
    url: str,
    now: datetime,
    feed_: WebhookFeed = WebhookFeed.ORDERS,
    types: Sequence[str] | None = None,
    key_id: str | None = None,
) -> NewSecret:
    """Have what happens from now on posted to `url`, once a test was accepted there; `key_id`: the key that asks.

    Raises InvalidRequest, InvalidState when the account has enough, NotFound. The host is not asked anything here.
    Who may see everybody's alarms is for the caller to ask.
    """
    _check_url(url)
    last_event, webhook_id = _last_event(account_id, feed_), ids.webhook_id(ULID.from_datetime(now))
    secret = webhook_secrets.new_secret()
    webhook = Webhook(
        id=webhook_id,
        account_id=account_id,
        key_id=key_id,
        url=url,
        created_at=now,
        feed=feed_,
        types=None if types is None else sorted(set(types)),
        delivered_sequence=last_event,
        next_attempt_at=now,
        failures=0,
        sealed_secret=webhook_secrets.sealed(secret, webhook_id),
    )
    with db.transaction() as session:
        if not webhooks.lock_account(session, account_id):
            raise NotFound("there is no such account")
        if webhooks.count(session, account_id) >= MOST_OF_ACCOUNT:
            raise InvalidState(f"an account has at most {MOST_OF_ACCOUNT} webhooks", {"limit": MOST_OF_ACCOUNT})
        webhooks.add(session, webhook)
        _queued(session, webhook_id, DeliveryKind.TEST, None, now)
        # Of a URL its host alone: the path may be a secret.
        host = urlsplit(url).hostname
        audit.add(
            session, "webhook.added", account_id, webhook_id, now, account_id=account_id, key_id=key_id, host=host
        )
        return NewSecret(_shown(session, webhook_id), secret)


def list_webhooks(account_id: str) -> Sequence[WebhookReport]:
    """The account's webhooks, the oldest first."""
    with db.transaction() as session:
        return [_report(one, has_right) for one, has_right in webhooks.of_account(session, account_id)]


def webhook_page(owner: Owner, limit: int, cursor: str | None) -> WebhookPage:
    """Up to `limit` webhooks of the owner, the newest first. Raises InvalidRequest for a cursor of another listing."""
    listing = f"webhooks of {owner.account_id if isinstance(owner, OneAccount) else 'everybody'}"
    before = None if cursor is None else cursors.decode(cursor, listing, WEBHOOK_ID)
    with db.transaction() as session:
        found = [_report(one, has_right) for one, has_right in webhooks.page(session, owner, limit + 1, before)]
    shown = found[:limit]
    return WebhookPage(shown, cursors.encode(shown[-1].id, listing) if len(found) > limit else None)


def webhook_report(owner: Owner, webhook_id: str) -> WebhookReport:
    """One webhook of the owner. Raises NotFound."""
    with db.transaction() as session:
        return _shown(session, webhook_id, owner)


def enable_webhook(
    owner: Owner, webhook_id: str, actor: str, now: datetime, expected: Expected | None = None
) -> WebhookReport:
    """Try again at once, from where it stopped.

    Raises NotFound, PreconditionFailed unless it is as `expected`, InvalidState when an admin has disabled it and its
    own account asks.
    """
    with db.transaction() as session:
        webhook = _locked(session, owner, webhook_id, expected)
        if webhook.disabled_by not in (None, webhook.account_id) and isinstance(owner, OneAccount):
            raise InvalidState("an admin has disabled it", {"status": WebhookStatus.DISABLED})
        healed = {"disabled_at": None, "disabled_by": None, "failing_since": None, "failures": 0, "last_error": None}
        webhooks.change(session, webhook, next_attempt_at=now, **healed)
        if webhook.disabled_at is not None:
            audit.add(session, "webhook.enabled", actor, webhook_id, now, account_id=webhook.account_id)
        queue.wake_after_commit(session, Task.DELIVER_WEBHOOKS)
        return _shown(session, webhook_id)


def disable_webhook(
    owner: Owner, webhook_id: str, actor: str, now: datetime, expected: Expected | None = None
) -> WebhookReport:
    """Post nothing there until it is enabled again, and then from where it stopped.

    Raises NotFound, PreconditionFailed unless it is as `expected`.
    """
    with db.transaction() as session:
        webhook = _locked(session, owner, webhook_id, expected)
        # What an admin has disabled stays so, whoever asks again.
        if webhook.disabled_by in (None, webhook.account_id) and webhook.disabled_by != actor:
            webhooks.change(session, webhook, disabled_at=webhook.disabled_at or now, disabled_by=actor)
            audit.add(session, "webhook.disabled", actor, webhook_id, now, account_id=webhook.account_id)
        return _shown(session, webhook_id)


def remove_webhook(owner: Owner, webhook_id: str, actor: str, now: datetime, expected: Expected | None = None) -> None:
    """Post nothing there any more. Raises NotFound, PreconditionFailed unless it is as `expected`."""
    with db.transaction() as session:
        webhook = _locked(session, owner, webhook_id, expected)
        webhooks.remove(session, webhook)
        audit.add(session, "webhook.removed", actor, webhook_id, now, account_id=webhook.account_id)


def roll_secret(
    account_id: str, webhook_id: str, now: datetime, overlap: timedelta = DAY, expected: Expected | None = None
) -> NewSecret:
    """Make a new secret; the one before signs too until the overlap is over.

    Raises NotFound, PreconditionFailed unless the webhook is as `expected`.
    """
    secret = webhook_secrets.new_secret()
    with db.transaction() as session:
        webhook = _locked(session, OneAccount(account_id), webhook_id, expected)
        previous = _resealed(webhook) if overlap else None
        webhooks.change(
            session,
            webhook,
            sealed_secret=webhook_secrets.sealed(secret, webhook_id),
            previous_secret=previous,
            previous_secret_until=None if previous is None else now + overlap,
        )
        audit.add(session, "webhook.secret_rolled", account_id, webhook_id, now, account_id=account_id)
        return NewSecret(_shown(session, webhook_id), secret)


def ask_for_test(account_id: str, webhook_id: str, now: datetime) -> DeliveryReport:
    """Have a test event posted, once. Raises NotFound, InvalidState where nothing is posted or too much waits."""
    with db.transaction() as session:
        _check_open(session, account_id, webhook_id)
        return _queued(session, webhook_id, DeliveryKind.TEST, None, now)


def ask_for_redelivery(account_id: str, webhook_id: str, event_id: int, now: datetime) -> DeliveryReport:
    """Have one event that was delivered posted once more. Raises NotFound, InvalidRequest, InvalidState as above."""
    with db.transaction() as session:
        webhook = _check_open(session, account_id, webhook_id)
        if webhook.verified_at is None:
            raise InvalidState("nothing was delivered there yet", {"status": WebhookStatus.PENDING})
        if not 1 <= event_id <= webhook.delivered_sequence:
            details = {"field": "event_id", "min": 1, "max": webhook.delivered_sequence}
            raise InvalidRequest("event_id must be that of an event that was delivered", details)
        return _queued(session, webhook_id, DeliveryKind.REDELIVERY, event_id, now)


def delivery_page(account_id: str, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
    """Up to `limit` deliveries, the latest first. Raises NotFound, InvalidRequest for a cursor of another listing."""
    listing = f"deliveries of {webhook_id}"
    before = None if cursor is None else cursors.decode(cursor, listing, DELIVERY_ID)
    with db.transaction() as session:
        _shown(session, webhook_id, OneAccount(account_id))
        found = [_delivery(one) for one in deliveries.page(session, webhook_id, limit + 1, before)]
    shown = found[:limit]
    return DeliveryPage(shown, cursors.encode(shown[-1].id, listing) if len(found) > limit else None)


def _check_url(url: str) -> None:
    try:
        target_of(url, policy())
    except Unreachable as refused:
        raise InvalidRequest(f"events cannot be posted there: {refused}", {"field": "url"}) from None


def _last_event(account_id: str, feed_: WebhookFeed) -> int:
    if feed_ is WebhookFeed.ALARMS:
        return alarm_feed.last_event()
    return {page.account_id: page.last_event_id for page in feed.poll({account_id: None}, 1)}[account_id]


def _locked(session: Session, owner: Owner, webhook_id: str, expected: Expected | None = None) -> Webhook:
    webhook = webhooks.lock(session, owner, webhook_id)
    if webhook is None:
        raise NotFound("there is no such webhook")
    if expected is not None:
        expected.check(etag_of(_shown(session, webhook_id)))
    return webhook


def _check_open(session: Session, account_id: str, webhook_id: str) -> Webhook:
    """A locked webhook that something is posted to, and for which not too much waits."""
    webhook = _locked(session, OneAccount(account_id), webhook_id)
    shown = _shown(session, webhook_id)
    if shown.status in (WebhookStatus.DISABLED, WebhookStatus.ENDED):
        raise InvalidState(f"nothing is posted there: {shown.status.meaning}", {"status": shown.status})
    if deliveries.count_waiting(session, webhook_id) >= MOST_WAITING:
        raise InvalidState(f"{MOST_WAITING} deliveries wait for it already", {"limit": MOST_WAITING})
    return webhook


def _queued(
    session: Session, webhook_id: str, kind: DeliveryKind, event_id: int | None, now: datetime
) -> DeliveryReport:
    row_id = ids.delivery_id(ULID.from_datetime(now))
    asked = deliveries.ask(session, row_id, webhook_id, kind, event_id, now)
    queue.wake_after_commit(session, Task.DELIVER_WEBHOOKS)
    return _delivery(asked)


def _resealed(webhook: Webhook) -> str | None:
    """The secret that signs now, as the one before; None for one that nobody can read any more."""
    if webhook.sealed_secret is None:
        return webhook_secrets.sealed(webhook_secrets.derived_secret(webhook.id), webhook.id)
    try:
        webhook_secrets.opened(webhook.sealed_secret, webhook.id)
    except Unreadable:
        return None
    return webhook.sealed_secret


def _shown(session: Session, webhook_id: str, owner: Owner | None = None) -> WebhookReport:
    found = webhooks.get(session, owner or EveryAccount(), webhook_id)
    if found is None:
        raise NotFound("there is no such webhook")
    return _report(*found)


def _report(one: Webhook, has_right: bool) -> WebhookReport:
    columns = {name: getattr(one, name) for name in WebhookReport.__dataclass_fields__ if name != "status"}
    return WebhookReport(**columns, status=_status(one, has_right))


def _status(one: Webhook, has_right: bool) -> WebhookStatus:
    if not has_right:
        return WebhookStatus.ENDED
    if one.disabled_at is not None:
        return WebhookStatus.DISABLED
    return WebhookStatus.PENDING if one.verified_at is None else WebhookStatus.ACTIVE


def _delivery(one: WebhookDelivery) -> DeliveryReport:
    columns = {name: getattr(one, name) for name in DeliveryReport.__dataclass_fields__ if name != "status"}
    return DeliveryReport(**columns, status=_delivery_status(one))


def _delivery_status(one: WebhookDelivery) -> DeliveryStatus:
    if one.posted_at is None:
        return DeliveryStatus.WAITING
    return DeliveryStatus.DELIVERED if one.error is None else DeliveryStatus.FAILED
