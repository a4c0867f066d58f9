"""Say what an account may do at most: an admin's act, written down with what held before."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from api_contract.errors import NotFound
from api_contract.risk_rules import RiskLimits, check_risk_limits
from pulse_core import db
from pulse_core.identity.store import accounts, audit
from pulse_core.risk import limits as in_force
from pulse_core.risk.store import limits as store


def own_of(account_id: str) -> RiskLimits:
    """What was set for an account itself. Raises NotFound."""
    with db.transaction() as session:
        if accounts.get(session, account_id) is None:
            raise NotFound("there is no such account")
        return store.of_account(session, account_id)


def set_limits(account_id: str, limits: RiskLimits, actor: str, now: datetime) -> None:
    """Set all limits of an account in place of those before; None: what holds for all. Repeating it is harmless.

    Raises InvalidRequest, NotFound.
    """
    check_risk_limits(limits)
    with db.transaction() as session:
        if accounts.lock(session, account_id) is None:
            raise NotFound("there is no such account")
        before = store.of_account(session, account_id)
        if before != limits:
            store.put(session, account_id, limits, actor, now)
            audit.add(session, "account.limits_changed", actor, account_id, now, **_changes(before, limits))
    in_force.forget()


def _changes(before: RiskLimits, after: RiskLimits) -> dict[str, Any]:
    old, new = asdict(before), asdict(after)
    return {name: f"{_told(old[name])} -> {_told(new[name])}" for name in new if old[name] != new[name]}


def _told(value: object) -> str:
    if isinstance(value, frozenset | list | set):
        return ",".join(sorted(map(str, value)))
    return str(value)
