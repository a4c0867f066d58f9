"""The list of instruments that orders are held to, and the caps that no broker tells."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from pulse_core.instruments.order_caps import caps_of
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong

# A list comes once a day; an hour of that was lost to whatever was in the way.
OLD_HOURS = 25

_LISTS = """
SELECT known.broker, loaded.ended_at, extract(epoch FROM clock_timestamp() - loaded.ended_at)::float8 / 3600,
       loaded.listed, latest.reason
  FROM (SELECT account.broker
          FROM (SELECT DISTINCT broker AS name FROM orders WHERE status IN ('PENDING', 'IN_PROGRESS', 'PAUSED')) used
          JOIN broker_accounts account ON account.name = used.name
        UNION SELECT DISTINCT broker FROM instrument_loads) known
  LEFT JOIN LATERAL (SELECT ended_at, listed FROM instrument_loads
                      WHERE broker = known.broker AND outcome = 'LOADED' ORDER BY id DESC LIMIT 1) loaded ON true
  LEFT JOIN LATERAL (SELECT reason FROM instrument_loads
                      WHERE broker = known.broker AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1) latest ON true
 ORDER BY known.broker
"""


def are_listed(cursor: Any) -> Iterator[Finding]:
    """What was loaded of each broker, how long ago, and whether the caps are those of these days."""
    cursor.execute(_LISTS)
    for broker, loaded_at, hours, count, reason in cursor.fetchall():
        check = f"instruments of {broker}"
        if loaded_at is None:
            yield wrong(check, Trouble.INSTRUMENTS_MISSING, f"no list was ever loaded{_because(reason)}")
        elif hours > OLD_HOURS:
            yield wrong(check, Trouble.INSTRUMENTS_STALE, f"{hours:.0f} h old{_because(reason)}")
        else:
            yield fine(check, f"{count}, {hours:.0f} h old{_of_caps(broker, datetime.now(UTC).date())}")


def _because(reason: str | None) -> str:
    return f"; the last load: {reason}" if reason else ""


def _of_caps(broker: str, today: date) -> str:
    caps = caps_of(broker)
    if caps is None or caps.valid_until >= today:
        return ""
    return f"; freeze quantities are of {caps.valid_until} and may have changed (PULSE_FREEZE_QUANTITIES)"
