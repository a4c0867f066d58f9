"""What happens to orders, live as Server-Sent Events or page by page."""

from collections.abc import Callable
from typing import Any

from flask import Response, current_app, g, jsonify, request

from api_contract.bearer import bearer
from api_contract.errors import InvalidRequest, ServiceUnavailable
from api_contract.scopes import Caller, Scope, Standing
from api_contract.shapes.alarms import AlarmEventPageSchema
from api_contract.shapes.events import (
    ACCOUNT_EVENTS_QUERY,
    EVENT_QUERY,
    ORDER_EVENTS_QUERY,
    RESUME,
    AuditSchema,
    EventPageSchema,
    MergedEventPageSchema,
)
from gapi_app.access.auth import access, caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.errors import UpstreamError
from gapi_app.events.client import ALARMS, EVERYBODY, Feed
from gapi_app.events.streams import READ_AT_ONCE, Events, Stream, events

_STREAM = "text/event-stream"
_FRAMES = 'retry: 1000\nid: 17\n\nid: 18\nevent: slice.filled\ndata: {"event_id":18,"type":"slice.filled"}\n\n'
_ALARM_FRAMES = 'retry: 1000\nid: 6\n\nid: 7\nevent: alarm.raised\ndata: {"event_id":7,"type":"alarm.raised"}\n\n'

blueprint = Blueprint("events", __name__, url_prefix="/api", description="What happens to orders")
blueprint.before_request(require_token)


@blueprint.route("/events", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(ACCOUNT_EVENTS_QUERY, location="query")
@blueprint.arguments(RESUME, location="headers")
@blueprint.response(200, EventPageSchema, description="The stream, or a page")
@blueprint.alt_response(200, schema={"type": "string"}, content_type=_STREAM, example=_FRAMES)
@blueprint.refuses("ARCHIVED")
def follow_account(query: dict[str, Any], headers: dict[str, int]) -> Response:
    """Follow everything that happens to an account's orders, as Server-Sent Events; with `format=json`, read it."""
    who, serving, asked = caller(), events(), query.pop("account_id", None)
    if query["format"] == "json":
        return _page(serving.client.account_events(who, asked, query))
    now = serving.client.account_feed(who, asked)

    def read(after: int) -> Feed:
        return _only(serving.client.poll(now.cell, {now.account_id: after}, READ_AT_ONCE))

    def check(after: int) -> None:
        serving.client.account_events(who, asked, {"after": after, "limit": 1})

    return _stream(serving, who, query | headers, now, read, check=check)


@blueprint.route("/events/all", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(ORDER_EVENTS_QUERY, location="query")
@blueprint.arguments(RESUME, location="headers")
@blueprint.response(200, MergedEventPageSchema, description="The stream, or a page")
@blueprint.alt_response(200, schema={"type": "string"}, content_type=_STREAM, example=_FRAMES)
@blueprint.refuses("ARCHIVED")
def follow_all_accounts(query: dict[str, Any], headers: dict[str, int]) -> Response:
    """Follow what happens to everybody's orders, as Server-Sent Events; with `format=json`, read it page by page."""
    who, serving = caller(), events()
    if query["format"] == "json":
        return _page(serving.client.all_events(who, query))

    def check(after: int) -> None:
        serving.client.all_events(who, {"after": after, "limit": 1})

    return _stream_of(EVERYBODY, serving, who, query | headers, check)


@blueprint.route("/orders/<order_id>/events", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(ORDER_EVENTS_QUERY, location="query")
@blueprint.arguments(RESUME, location="headers")
@blueprint.response(200, EventPageSchema, description="The stream, or a page")
@blueprint.alt_response(200, schema={"type": "string"}, content_type=_STREAM, example=_FRAMES)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def follow_order(query: dict[str, Any], headers: dict[str, int], order_id: str) -> Response:
    """Follow what happens to one order, as Server-Sent Events; with `format=json`, read what has happened so far."""
    who, serving = caller(), events()
    if query["format"] == "json":
        return _page(serving.client.order_events(who, order_id, query))

    def read(after: int) -> Feed:
        return serving.client.order_feed(who, order_id, after, READ_AT_ONCE)

    return _stream(serving, who, query | headers, serving.client.order_feed(who, order_id, 0, 1), read, order_id)


@blueprint.route("/orders/<order_id>/audit", methods=["GET"])
@blueprint.needs(Scope.EVENTS_READ)
@blueprint.arguments(EVENT_QUERY, location="query")
@blueprint.response(200, AuditSchema)
@blueprint.refuses("NOT_FOUND", "ARCHIVED")
def audit_order(query: dict[str, int], order_id: str) -> Response:
    """Who placed an order, and everything that happened to it with who did it and why."""
    return jsonify(events().client.audit(caller(), order_id, query))


@blueprint.route("/alarms/events", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(ORDER_EVENTS_QUERY, location="query")
@blueprint.arguments(RESUME, location="headers")
@blueprint.response(200, AlarmEventPageSchema, description="The stream, or a page")
@blueprint.alt_response(200, schema={"type": "string"}, content_type=_STREAM, example=_ALARM_FRAMES)
def follow_alarms(query: dict[str, Any], headers: dict[str, int]) -> Response:
    """Follow what happens to everybody's alarms, as Server-Sent Events; with `format=json`, read it page by page."""
    who, serving = caller(), events()
    if query["format"] == "json":
        return _page(serving.client.alarm_events(who, query))
    return _stream_of(ALARMS, serving, who, query | headers)


def _stream_of(
    key: str, serving: Events, who: Caller, asked: dict[str, Any], check: Callable[[int], None] | None = None
) -> Response:
    """The stream of a feed that is everybody's, in one cell."""
    cell = serving.client.router.one_for_everybody()

    def read(after: int | None) -> Feed:
        return _only(serving.client.poll(cell, {key: after}, READ_AT_ONCE))

    return _stream(serving, who, asked, read(None), read, check=check)


def _stream(
    serving: Events,
    who: Caller,
    asked: dict[str, Any],
    now: Feed,
    read: Callable[[int], Feed],
    order_id: str | None = None,
    check: Callable[[int], None] | None = None,
) -> Response:
    """Begin a stream after the event that is asked for; `check` raises where what follows it is in the archive."""
    cursor = asked.get("last_event_id", now.last_event_id)
    if not now.is_complete:
        raise ServiceUnavailable("these events are being numbered; try again", {"retry_after_seconds": 5})
    if cursor > now.last_event_id:
        raise InvalidRequest("there is no such event yet", {"field": "last_event_id", "max": now.last_event_id})
    if check is not None and 0 < cursor < now.last_event_id:
        check(cursor)
    if request.method == "HEAD":
        return Response(content_type=_STREAM)
    is_over, ends_at, hub = _asked_again(), g.identity.expires_at, serving.hubs[now.cell.name]
    serving.slots.take(who.account_id, lambda: hub.nudge(now.account_id))
    stream = Stream(
        channel=hub.join(now.account_id, now.last_event_id),
        cursor=cursor,
        read=read,
        is_over=is_over,
        ends_at=ends_at,
        heartbeat_seconds=serving.heartbeat_seconds,
        order_id=order_id,
    )
    response = current_app.response_class(stream.frames(), content_type=_STREAM)
    response.headers.update({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    @response.call_on_close
    def leave() -> None:
        hub.leave(now.account_id)
        serving.slots.release(who.account_id)

    return response


def _page(told: dict[str, Any]) -> Response:
    return jsonify({name: told.get(name) for name in ("events", "next_after", "next_cursor")})


def _asked_again() -> Callable[[], bool]:
    known, text, identity = access(), bearer("an access token or API key"), g.identity
    return lambda: known.is_over(text, identity)


def _only(feeds: list[Feed]) -> Feed:
    if len(feeds) != 1:
        raise UpstreamError("pulse did not say what is new")
    return feeds[0]
