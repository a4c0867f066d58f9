"""What brokers say of the days ahead and of the time, beside what orders are held to."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong
from pulse_ops.doctor.processes import TOLERATED_CLOCK_SECONDS

_CALENDARS = """
SELECT broker, extract(epoch FROM clock_timestamp() - told_at)::float8 / 3600, last_day, differences, clock_ahead,
       reason
  FROM broker_calendars ORDER BY broker
"""


def agree(cursor: Any) -> Iterator[Finding]:
    """Each calendar that a broker has told, as it was compared last, and its clock as it was then."""
    cursor.execute(_CALENDARS)
    for broker, hours, last_day, differences, clock_ahead, reason in cursor.fetchall():
        check, because = f"calendar of {broker}", f"; asked last: {reason}" if reason else ""
        if hours is None:
            yield fine(check, f"it has told none yet{because}")
            continue
        if differences:
            yield wrong(check, Trouble.CALENDAR_DIFFERS, "; ".join(map(_words, differences[:3])) + _more(differences))
        else:
            yield fine(check, f"as ours, as far as both go (told until {last_day}, {hours:.0f} h ago){because}")
        yield _clock(broker, clock_ahead)


def _words(one: Mapping[str, Any]) -> str:
    return f"{', '.join(one['exchanges'])} on {one['day']} {one['ours']} here, {one['told']} there"


def _more(differences: list[Any]) -> str:
    return f"; and {len(differences) - 3} more days" if len(differences) > 3 else ""


def _clock(broker: str, ahead: float) -> Finding:
    check, seen = f"clock of {broker}", f"{abs(ahead):.1f} s {'ahead of' if ahead >= 0 else 'behind'} the database's"
    if abs(ahead) <= TOLERATED_CLOCK_SECONDS:
        return fine(check, seen)
    return wrong(check, Trouble.BROKER_CLOCK_OFF, seen)
