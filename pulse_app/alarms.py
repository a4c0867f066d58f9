"""The inbox of alarms, for operators and admins."""

from dataclasses import asdict
from typing import Any

from api_contract.preconditions import ETAG, expected
from api_contract.scopes import Scope, Standing
from api_contract.shapes.alarms import (
    ALARM_NOTE,
    ALARM_QUERY,
    AlarmEventPageSchema,
    AlarmHistorySchema,
    AlarmPageSchema,
    AlarmSchema,
)
from api_contract.shapes.events import EVENT_QUERY
from api_contract.shapes.internal import ALARM_POLL, AlarmNewsSchema
from api_contract.versions import etag_of
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.events import alarm_feed
from pulse_core.events.names import alarm_event_type
from pulse_core.identity import accounts
from pulse_core.trading import inbox
from pulse_core.trading.inbox import AlarmFilters, AlarmPage, AlarmReport

blueprint = Blueprint("alarms", __name__, url_prefix="/internal/alarms", description="What operators must see")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(ALARM_QUERY, location="query")
@blueprint.response(200, AlarmPageSchema)
def list_alarms(query: dict[str, Any]) -> AlarmPage:
    """Alarms of every account and of the installation, the latest first."""
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    return inbox.alarm_page(AlarmFilters(**query), limit, cursor)


@blueprint.route("/events", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(EVENT_QUERY, location="query")
@blueprint.response(200, AlarmEventPageSchema)
def list_alarm_events(query: dict[str, int]) -> alarm_feed.AlarmEventPage:
    """What happened to alarms, oldest first, a page at a time."""
    return alarm_feed.alarm_events(query["after"], query["limit"])


@blueprint.route("/poll", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(ALARM_POLL)
@blueprint.response(200, AlarmNewsSchema)
def poll_alarms(asked: dict[str, Any]) -> alarm_feed.AlarmNews:
    """What is new of alarms; for the gateway itself."""
    return alarm_feed.poll(asked["after"], asked["limit"])


@blueprint.route("/<alarm_id>", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, AlarmHistorySchema, headers=ETAG)
@blueprint.refuses("NOT_FOUND")
def show_alarm(alarm_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """One alarm, and what happened to it."""
    found = inbox.alarm_history(alarm_id)
    names = accounts.usernames({one.actor for one in found.events})
    told = [
        asdict(one) | {"type": alarm_event_type(one.kind), "actor_name": names.get(one.actor, one.actor)}
        for one in found.events
    ]
    return {"alarm": found.alarm, "events": told}, 200, {"ETag": etag_of(found)}


@blueprint.route("/<alarm_id>/acknowledge", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def acknowledge_alarm(alarm_id: str) -> AlarmReport:
    """Take an open alarm on; repeating it is harmless."""
    return inbox.acknowledge_alarm(alarm_id, account_id(), utcnow(), expected())


@blueprint.route("/<alarm_id>/resolve", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resolve_alarm(alarm_id: str) -> AlarmReport:
    """Say that the cause of an alarm is dealt with; repeating it is harmless."""
    return inbox.resolve_alarm(alarm_id, account_id(), utcnow(), expected())


@blueprint.route("/<alarm_id>/note", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(ALARM_NOTE)
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND")
def note_alarm(body: dict[str, str], alarm_id: str) -> AlarmReport:
    """Keep a note with an alarm, in place of the one before; repeating it is harmless."""
    return inbox.note_alarm(alarm_id, body["note"], account_id(), utcnow(), expected())
