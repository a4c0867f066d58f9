"""Alarms, for operators and admins."""

from collections.abc import Mapping
from typing import Any

from pulse_client.alarm_models import Alarm, AlarmHistory, AlarmPage
from pulse_client.calls import Calls, part


class Alarms(Calls):
    def alarms(self, filters: Mapping[str, Any], limit: int = 50, cursor: str | None = None) -> AlarmPage:
        """Up to `limit` alarms, the latest first. The filters are those of the API."""
        return self._get(AlarmPage, "/api/alarms", **{**filters, "limit": limit, "cursor": cursor})

    def alarm(self, alarm_id: str) -> AlarmHistory:
        """One alarm, and what happened to it."""
        return self._get(AlarmHistory, _path(alarm_id))

    def acknowledge_alarm(self, alarm_id: str) -> Alarm:
        """Take an open alarm on; repeating it is harmless."""
        return self._parse(Alarm, self._change("POST", f"{_path(alarm_id)}/acknowledge"))

    def resolve_alarm(self, alarm_id: str) -> Alarm:
        """Say that the cause of an alarm is dealt with; repeating it is harmless."""
        return self._parse(Alarm, self._change("POST", f"{_path(alarm_id)}/resolve"))

    def note_alarm(self, alarm_id: str, note: str) -> Alarm:
        """Keep a note with an alarm, in place of the one before; repeating it is harmless."""
        return self._parse(Alarm, self._change("POST", f"{_path(alarm_id)}/note", {"note": note}))


def _path(alarm_id: str) -> str:
    return f"/api/alarms/{part(alarm_id)}"
