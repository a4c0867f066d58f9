"""The inbox of alarms, for operators and admins."""

from typing import Any

from flask import Response, jsonify

from api_contract.scopes import Scope, Standing
from api_contract.shapes.alarms import (
    ALARM_NOTE,
    ALARM_QUERY,
    AlarmHistorySchema,
    AlarmPageSchema,
    AlarmSchema,
)
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint("alarms", __name__, url_prefix="/api/alarms", description="What operators must see")
blueprint.before_request(require_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.arguments(ALARM_QUERY, location="query")
@blueprint.response(200, AlarmPageSchema)
def list_alarms(query: dict[str, Any]) -> Response:
    """Alarms of every account and of the installation, the latest first."""
    return jsonify(pulse().list_alarms(caller(), query))


@blueprint.route("/<alarm_id>", methods=["GET"])
@blueprint.needs(Standing.OVERSIGHT)
@blueprint.response(200, AlarmHistorySchema)
@blueprint.refuses("NOT_FOUND")
def show_alarm(alarm_id: str) -> Response:
    """One alarm, and what happened to it."""
    return jsonify(pulse().alarm(caller(), alarm_id))


@blueprint.route("/<alarm_id>/acknowledge", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def acknowledge_alarm(alarm_id: str) -> Response:
    """Take an open alarm on; repeating it is harmless."""
    return jsonify(pulse().act_on_alarm(caller(), alarm_id, "acknowledge"))


@blueprint.route("/<alarm_id>/resolve", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE")
def resolve_alarm(alarm_id: str) -> Response:
    """Say that the cause of an alarm is dealt with; repeating it is harmless. It opens again if that happens again."""
    return jsonify(pulse().act_on_alarm(caller(), alarm_id, "resolve"))


@blueprint.route("/<alarm_id>/note", methods=["POST"])
@blueprint.needs(Scope.SLICES_OPERATE)
@blueprint.takes_if_match()
@blueprint.takes_key()
@blueprint.arguments(ALARM_NOTE)
@blueprint.response(200, AlarmSchema)
@blueprint.refuses("NOT_FOUND")
def note_alarm(body: dict[str, str], alarm_id: str) -> Response:
    """Keep a note with an alarm, in place of the one before; repeating it is harmless."""
    return jsonify(pulse().act_on_alarm(caller(), alarm_id, "note", body))
