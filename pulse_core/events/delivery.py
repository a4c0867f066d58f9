"""One webhook's turn: what is asked for and what is new is posted there, in order, at least once, and not forever.

Nothing leaves that was not claimed in Postgres, where the webhook's right is looked at: it must be enabled, its account
active, and the key that made it still good.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session
from ulid import ULID

from api_contract import ids
from api_contract.log import get_logger
from api_contract.vocabulary import DeliveryKind, WebhookFeed
from pulse_core import db
from pulse_core.backoff import backoff
from pulse_core.config import settings
from pulse_core.events import alarm_feed, feed, outbound, webhook_secrets
from pulse_core.events.alarm_feed import AlarmEventReport
from pulse_core.events.feed import EventReport
from pulse_core.events.outbound import Line, LineGone, Lines
from pulse_core.events.outbound_rules import Policy, Target, Unreachable, target_of
from pulse_core.events.resolving import Resolver
from pulse_core.events.store import deliveries, webhooks
from pulse_core.events.tables import Webhook, WebhookDelivery
from pulse_core.sealing import Unreadable

log = get_logger(__name__)

BATCH = 100
# Longer than a delivery can take, so that two deliverers never post the same webhook's events side by side.
LEASE = timedelta(seconds=30)
# So long after the claim its right is looked at again before anything leaves: a name may take long to be resolved.
FRESH_SECONDS = 0.25
# How long one webhook may go on before the others' turn comes.
TURN_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 3600.0
GIVEN_UP_AFTER = timedelta(days=1)
TEST_TYPE = "webhook.test"

Report = EventReport | AlarmEventReport
Clock = Callable[[], datetime]

_lines = Lines()


@dataclass(frozen=True)
class Turn:
    """What came of a turn: how many posts were accepted, and the seconds that the slowest one took."""

    accepted: int
    slowest: float


@dataclass(frozen=True)
class _Parcel:
    """What one post carries. `asked_id`: the row that asked for it; `reaches`: the event that the feed comes to."""

    kind: DeliveryKind
    message_id: str
    events: Sequence[Mapping[str, object]]
    first: int | None = None
    last: int | None = None
    asked_id: str | None = None
    reaches: int | None = None


@dataclass(frozen=True)
class _Outcome:
    """What came of one post: accepted unless there is an error."""

    status: int | None
    error: str | None
    seconds: float


class _Withdrawn(Exception):
    """The webhook was disabled or removed, or its right has ended, since it was claimed."""


def policy() -> Policy:
    """What may be posted to, by the settings."""
    config = settings()
    ports = frozenset(map(int, config.pulse_webhook_ports))
    return Policy(config.pulse_webhook_allow_http, config.pulse_webhook_allow_private, ports)


def take_turn(seen: Webhook, resolver: Resolver, now: Clock) -> Turn:
    """Post what there is for a webhook that is due, unless another deliverer was faster. Raises DatabaseUnavailable."""
    with db.transaction() as session:
        held = webhooks.claim(session, seen, now() + LEASE)
    ends_at, accepted, slowest = time.monotonic() + TURN_SECONDS, 0, 0.0
    while held is not None:
        parcel = _next_parcel(held, now())
        if parcel is None or time.monotonic() > ends_at:
            break
        try:
            outcome = _send(held, parcel, resolver, now)
        except _Withdrawn:
            break
        accepted += bool(parcel.events) and outcome.error is None
        slowest = max(slowest, outcome.seconds)
        held = _record(held, parcel, outcome, now())
        if outcome.error is not None:
            break
    if held is not None and held.leased_until is not None:
        with db.transaction() as session:
            webhooks.release(session, held.id, held.leased_until)
    return Turn(accepted, slowest)


def close_old_lines() -> None:
    """End connections that have rested too long."""
    _lines.close_old()


def _next_parcel(held: Webhook, now: datetime) -> _Parcel | None:
    with db.transaction() as session:
        asked = deliveries.waiting(session, held.id)
    if asked is not None:
        return _asked_for(held, asked, now)
    if held.next_attempt_at > now:
        return None
    if held.verified_at is None:
        return _test(ids.delivery_id(ULID.from_datetime(now)), None, now)
    return _news(held)


def _asked_for(held: Webhook, asked: WebhookDelivery, now: datetime) -> _Parcel:
    event_id = asked.first_event_id
    if asked.kind is DeliveryKind.TEST or event_id is None:
        return _test(asked.id, asked.id, now)
    # One that is gone by now leaves nothing to post, which is said.
    events = [one for one in _events_after(held, event_id - 1, 1) if one.event_id == event_id]
    message_id = f"{held.id}_{event_id}-{event_id}"
    return _Parcel(DeliveryKind.REDELIVERY, message_id, list(map(_payload, events)), event_id, event_id, asked.id)


def _test(message_id: str, asked_id: str | None, now: datetime) -> _Parcel:
    event = {
        "event_id": 0,
        "type": TEST_TYPE,
        "order_id": None,
        "slice_id": None,
        "at": _rfc3339(now),
        "from_status": None,
        "to_status": None,
        "actor": "pulse",
        "reason": "a test: nothing has happened",
        "details": {},
    }
    return _Parcel(DeliveryKind.TEST, message_id, [event], asked_id=asked_id)


def _news(held: Webhook) -> _Parcel | None:
    """What the webhook was not given yet; without any events where its filter lets none of them through."""
    found = _events_after(held, held.delivered_sequence, BATCH)
    if not found:
        return None
    wanted = [event for event in found if is_wanted(event.type, held.types)]
    first, last = (wanted[0].event_id, wanted[-1].event_id) if wanted else (None, None)
    message_id = f"{held.id}_{first}-{last}"
    reaches = found[-1].event_id
    return _Parcel(DeliveryKind.EVENTS, message_id, list(map(_payload, wanted)), first, last, reaches=reaches)


def is_wanted(event_type: str, types: Sequence[str] | None) -> bool:
    """Whether a filter lets an event through: its type, or `<subject>.*`, is among them; None lets all through."""
    return types is None or event_type in types or f"{event_type.partition('.')[0]}.*" in types


def _events_after(held: Webhook, after: int, limit: int) -> Sequence[Report]:
    if held.feed is WebhookFeed.ALARMS:
        return alarm_feed.alarm_events(after, limit).events
    pages = feed.poll({held.account_id: after}, limit)
    return pages[0].events if pages else ()


def _send(held: Webhook, parcel: _Parcel, resolver: Resolver, now: Clock) -> _Outcome:
    if not parcel.events:
        return _Outcome(None, None if parcel.reaches is not None else "there is no such event any more", 0.0)
    began = time.monotonic()
    try:
        status = _post(held, parcel, resolver, now)
    except Unreachable as failed:
        return _Outcome(None, str(failed), time.monotonic() - began)
    except Unreadable:
        return _Outcome(None, "its secret cannot be read: make a new one", time.monotonic() - began)
    error = None if 200 <= status < 300 else f"answered {status}"
    return _Outcome(status, error, time.monotonic() - began)


def _post(held: Webhook, parcel: _Parcel, resolver: Resolver, now: Clock) -> int:
    at = now()
    body = json.dumps({"webhook_id": held.id, "events": parcel.events}).encode()
    signing = webhook_secrets.secrets_of(
        held.id, held.sealed_secret, held.previous_secret, held.previous_secret_until, at
    )
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Pulse-Webhooks/1",
        "Pulse-Webhook-Id": held.id,
        **webhook_secrets.signature_headers(signing, parcel.message_id, int(at.timestamp()), body),
    }
    allowed = policy()
    target = target_of(held.url, allowed)
    line = _lines.take(held.id, target, allowed)
    if line is not None:
        try:
            return _posted(held.id, line, body, headers)
        except LineGone:
            pass
    line = _connected(held, target, resolver, allowed)
    return _posted(held.id, line, body, headers)


def _posted(webhook_id: str, line: Line, body: bytes, headers: Mapping[str, str]) -> int:
    status = line.post(body, headers)
    _lines.keep(webhook_id, line)
    return status


def _connected(held: Webhook, target: Target, resolver: Resolver, allowed: Policy) -> Line:
    began = time.monotonic()
    addresses = [target.literal] if target.literal else resolver.addresses(target.host, held.account_id)
    line = outbound.connect(target, addresses, allowed)
    if time.monotonic() - began > FRESH_SECONDS and not _is_held(held):
        line.close()
        raise _Withdrawn
    return line


def _is_held(held: Webhook) -> bool:
    assert held.leased_until is not None  # noqa: S101
    with db.transaction() as session:
        return webhooks.is_held(session, held.id, held.leased_until)


def _record(held: Webhook, parcel: _Parcel, outcome: _Outcome, now: datetime) -> Webhook | None:
    """Write down what came of it, and take the webhook for what follows; None where that may not be."""
    with db.transaction() as session:
        changes = _after(held, parcel, outcome, now)
        settled = webhooks.settle(session, held, leased_until=now + LEASE, **changes)
        if settled is not None:
            _log(session, held.id, parcel, outcome, now)
        goes_on = settled is not None and webhooks.is_held(session, held.id, now + LEASE)
    if outcome.error is not None:
        log.warning("webhook failed", webhook_id=held.id, kind=parcel.kind, reason=outcome.error)
    if settled is not None and not goes_on and settled.leased_until is not None:
        with db.transaction() as session:
            webhooks.release(session, held.id, settled.leased_until)
    return settled if goes_on else None


def _log(session: Session, webhook_id: str, parcel: _Parcel, outcome: _Outcome, now: datetime) -> None:
    milliseconds = round(outcome.seconds * 1000)
    if parcel.asked_id is not None:
        deliveries.finish(session, parcel.asked_id, now, outcome.status, outcome.error, milliseconds)
    elif parcel.events:
        delivery = WebhookDelivery(
            id=parcel.message_id if parcel.kind is DeliveryKind.TEST else ids.delivery_id(ULID.from_datetime(now)),
            webhook_id=webhook_id,
            kind=parcel.kind,
            first_event_id=parcel.first,
            last_event_id=parcel.last,
            asked_at=now,
            posted_at=now,
            answer_status=outcome.status,
            error=outcome.error,
            duration_ms=milliseconds,
        )
        deliveries.add(session, delivery)
    deliveries.forget(session, webhook_id, settings().retention_webhook_deliveries)


def _after(held: Webhook, parcel: _Parcel, outcome: _Outcome, now: datetime) -> dict[str, object]:
    """What changes about the webhook by this outcome."""
    if outcome.error is None:
        changes: dict[str, object] = {"next_attempt_at": now}
        if parcel.reaches is not None:
            changes |= {"delivered_sequence": parcel.reaches, **_WELL}
        elif held.verified_at is None:
            changes |= {"verified_at": now, **_WELL}
        return changes
    if parcel.asked_id is not None and held.verified_at is not None:
        # What was asked for is tried once, and is no sign that events are not taken.
        return {}
    since = held.failing_since or now
    pause = backoff(held.failures + 1, LONGEST_PAUSE_SECONDS, secrets.randbelow(1000) / 1000)
    given_up = {"disabled_at": now} if now - since >= GIVEN_UP_AFTER else {}
    return given_up | {
        "failing_since": since,
        "failures": held.failures + 1,
        "last_error": outcome.error,
        "next_attempt_at": now + pause,
    }


_WELL: Mapping[str, object] = {"failing_since": None, "failures": 0, "last_error": None}


def _payload(event: Report) -> Mapping[str, object]:
    return {**asdict(event), "at": _rfc3339(event.at)}


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
