"""Post an account's events, or those of alarms, to its webhooks: signed, in order, at least once, and not forever."""

import hmac
import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock, Thread

from ulid import ULID

from api_contract.errors import InvalidRequest, InvalidState, NotFound
from api_contract.log import get_logger
from api_contract.vocabulary import WebhookFeed
from pulse_core import db
from pulse_core.backoff import backoff
from pulse_core.config import settings
from pulse_core.copies import copy_of
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events import alarm_feed, feed, outbound
from pulse_core.events.alarm_feed import AlarmEventReport
from pulse_core.events.feed import EventReport
from pulse_core.events.outbound import Policy, Unreachable
from pulse_core.events.store import webhooks
from pulse_core.events.tables import Webhook

log = get_logger(__name__)

MOST_OF_ACCOUNT = 5
AT_ONCE, BATCH = 8, 100
# Longer than a delivery can take, so that two deliverers never post the same webhook's events side by side.
LEASE = timedelta(seconds=30)
LONGEST_PAUSE_SECONDS = 3600.0
GIVEN_UP_AFTER = timedelta(days=1)

_under_way = Lock()

Report = EventReport | AlarmEventReport


@dataclass(frozen=True)
class WebhookReport:
    """A webhook, and how far it has come: `delivered_sequence` is the last event that was taken there."""

    id: str
    url: str
    feed: WebhookFeed
    created_at: datetime
    disabled_at: datetime | None
    delivered_sequence: int
    failing_since: datetime | None
    failures: int
    last_error: str | None


@dataclass(frozen=True)
class NewWebhook:
    """A webhook and the secret that signs its deliveries."""

    webhook: WebhookReport
    secret: str


def add_webhook(account_id: str, url: str, now: datetime, feed_: WebhookFeed = WebhookFeed.ORDERS) -> NewWebhook:
    """Have what happens from now on posted to `url`. Raises InvalidRequest, InvalidState when the account has enough.

    Who may see everybody's alarms is for the caller to ask.
    """
    try:
        outbound.check_url(url, _policy())
    except Unreachable as refused:
        raise InvalidRequest(f"events cannot be posted there: {refused}", {"field": "url"}) from None
    webhook = Webhook(
        id=f"whk_{ULID.from_datetime(now)}",
        account_id=account_id,
        url=url,
        created_at=now,
        feed=feed_,
        delivered_sequence=_last_event(account_id, feed_),
        next_attempt_at=now,
        failures=0,
    )
    with db.transaction() as session:
        if len(webhooks.of_account(session, account_id)) >= MOST_OF_ACCOUNT:
            raise InvalidState(f"an account has at most {MOST_OF_ACCOUNT} webhooks", {"limit": MOST_OF_ACCOUNT})
        webhooks.add(session, webhook)
        return NewWebhook(copy_of(webhook, WebhookReport), secret_of(webhook.id))


def list_webhooks(account_id: str) -> Sequence[WebhookReport]:
    """The account's webhooks, the oldest first."""
    with db.transaction() as session:
        return [copy_of(one, WebhookReport) for one in webhooks.of_account(session, account_id)]


def enable_webhook(account_id: str, webhook_id: str, now: datetime) -> WebhookReport:
    """Try again at once, from where it stopped. Raises NotFound."""
    with db.transaction() as session:
        healed = {"disabled_at": None, "failing_since": None, "failures": 0, "last_error": None}
        enabled = webhooks.change(session, account_id, webhook_id, next_attempt_at=now, **healed)
    if enabled is None:
        raise NotFound("there is no such webhook")
    return copy_of(enabled, WebhookReport)


def remove_webhook(account_id: str, webhook_id: str) -> None:
    """Post nothing there any more. Raises NotFound."""
    with db.transaction() as session:
        if not webhooks.remove(session, account_id, webhook_id):
            raise NotFound("there is no such webhook")


def secret_of(webhook_id: str) -> str:
    """What signs the deliveries of a webhook; derived, so that it is stored nowhere."""
    key = settings().pulse_service_token_key.get_secret_value().encode()
    return f"whsec_{hmac.digest(key, f'webhook {webhook_id}'.encode(), 'sha256').hex()}"


def signature(secret: str, at: int, body: bytes) -> str:
    """The header `Pulse-Signature` for a body that is sent at this second."""
    signed = hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()
    return f"t={at},v1={signed}"


def deliver_webhooks(now: datetime) -> int:
    """Deliver in a thread of its own, unless this process is at it: slow receivers must not hold up the sweeps."""
    if not _under_way.acquire(blocking=False):
        return 0
    Thread(target=_deliver_beside, args=(now,), name="webhooks", daemon=True).start()
    return 1


def deliver_due(now: datetime, limit: int = 40) -> int:
    """Post what is new to the webhooks that are due, one batch each; returns how many got something."""
    with db.transaction() as session:
        waiting = webhooks.due(session, now, limit)
    if not waiting:
        return 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(lambda one: _deliver(one, now), waiting))


def _deliver_beside(now: datetime) -> None:
    try:
        deliver_due(now)
    except DatabaseUnavailable as away:
        log.warning("deliveries put off", reason=away.message)
    except Exception:
        log.exception("deliveries failed")
    finally:
        _under_way.release()


def _deliver(one: Webhook, now: datetime) -> bool:
    try:
        events = _news(one)
        if not events:
            return False
        with db.transaction() as session:
            if not webhooks.claim(session, one, now + LEASE):
                return False
        error = _post(one, events, now)
        with db.transaction() as session:
            webhooks.settle(session, one, **_outcome(one, events[-1].event_id, error, now))
    except DatabaseUnavailable:
        # The claim runs out, and the same events are posted again.
        return False
    if error is not None:
        log.warning("webhook failed", webhook_id=one.id, reason=error, failures=one.failures + 1)
    return error is None


def _last_event(account_id: str, feed_: WebhookFeed) -> int:
    if feed_ is WebhookFeed.ALARMS:
        return alarm_feed.last_event()
    return {page.account_id: page.last_event_id for page in feed.poll({account_id: None}, 1)}[account_id]


def _news(one: Webhook) -> Sequence[Report]:
    if one.feed is WebhookFeed.ALARMS:
        return alarm_feed.alarm_events(one.delivered_sequence, BATCH).events
    pages = feed.poll({one.account_id: one.delivered_sequence}, BATCH)
    return pages[0].events if pages else ()


def _post(one: Webhook, events: Sequence[Report], now: datetime) -> str | None:
    body = json.dumps({"webhook_id": one.id, "events": [_payload(event) for event in events]}).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Pulse-Webhooks/1",
        "Pulse-Webhook-Id": one.id,
        "Pulse-Signature": signature(secret_of(one.id), int(now.timestamp()), body),
    }
    try:
        status = outbound.post(one.url, body, headers, _policy())
    except Unreachable as failed:
        return str(failed)
    return None if 200 <= status < 300 else f"answered {status}"


def _payload(event: Report) -> dict[str, object]:
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {**asdict(event), "at": at}


def _outcome(one: Webhook, last: int, error: str | None, now: datetime) -> dict[str, object]:
    if error is None:
        good = {"failing_since": None, "failures": 0, "last_error": None}
        return {"delivered_sequence": last, "next_attempt_at": now, **good}
    since = one.failing_since or now
    pause = backoff(one.failures + 1, LONGEST_PAUSE_SECONDS, secrets.randbelow(1000) / 1000)
    is_given_up = now - since >= GIVEN_UP_AFTER
    return {
        "failing_since": since,
        "failures": one.failures + 1,
        "last_error": error,
        "next_attempt_at": now + pause,
        "disabled_at": now if is_given_up else None,
    }


def _policy() -> Policy:
    return Policy(settings().pulse_webhook_allow_http, settings().pulse_webhook_allow_private)
