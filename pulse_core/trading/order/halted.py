"""New orders are held to the halts in force, as this process has known them for a second at most.

One that is halted at this very moment is taken, and held: every claim and every last look reads the halts themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from api_contract.errors import Halted
from api_contract.kept import Kept
from pulse_core import db
from pulse_core.trading.store import halts
from pulse_core.trading.store.halts import HaltScope


@dataclass(frozen=True)
class _InForce:
    halt_id: str
    scope: HaltScope
    reason: str
    since: datetime


def check_order(account_id: str, broker_account: str, instrument: str) -> None:
    """Refuse what somebody has halted. Not inside a transaction. Raises Halted, DatabaseUnavailable."""
    for one in _kept.get():
        if one.scope.covers(account_id, broker_account, instrument):
            details = {"halt_id": one.halt_id, "reason": one.reason, "since": _shown(one.since)}
            raise Halted(f"no new orders are taken while a halt is in force: {one.reason}", details)


def forget() -> None:
    """Read them anew when next asked: this process has changed them."""
    _kept.forget()


def _read() -> Sequence[_InForce]:
    with db.transaction() as session:
        return [_InForce(one.id, halts.scope_of(one), one.reason, one.made_at) for one in halts.in_force(session)]


def _shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


_kept = Kept(_read)
