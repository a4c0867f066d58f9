"""Operators hear of those who guess passwords."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from pulse_core.identity.login_throttle import Attack
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms

_LONGEST_SUBJECT = 30


def raise_login_attack(session: Session, attack: Attack, now: datetime) -> None:
    """Raise the alarm of an attack: one for each name and each address, which says no name that is nobody's."""
    detail = {"by": attack.by, "failures": attack.failures, "network": attack.network}
    account_id = attack.account_id if attack.by == "username" else None
    subject = account_id or hashlib.sha256(attack.subject.encode()).hexdigest()[:_LONGEST_SUBJECT]
    alarms.raise_alarm(session, AlarmCode.LOGIN_ATTACK, now, detail, subject=subject, account_id=account_id)
