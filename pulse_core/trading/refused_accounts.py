"""Broker accounts that the broker refuses: nothing is sent there, and its orders spend nothing meanwhile."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import db
from pulse_core.broker_accounts.state import reason_for, state_after
from pulse_core.broker_accounts.store import states
from pulse_core.brokers.port import BrokerError, Scope
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms, holds

log = get_logger(__name__)


@dataclass(frozen=True)
class Refusal:
    """What the broker said, whose fault it is, and when the call began; `sent_at`: when the attempt left."""

    code: str
    message: str | None
    scope: Scope
    began_at: datetime
    sent_at: datetime | None = None

    @property
    def error(self) -> dict[str, str | None]:
        return {"error_code": self.code, "error_message": self.message}


def hold_account(session: Session, name: str, refusal: Refusal, now: datetime, *, is_read: bool = False) -> bool:
    """Hold an account that was refused, with one alarm; False if it is held already, or was released since."""
    state, reason = state_after(refusal.code), reason_for(refusal.code, refusal.message)
    if not states.hold(session, name, state, reason, refusal.began_at, is_read=is_read):
        return False
    holds.tell_of_account(session, name, EventKind.HELD, now, reason=state.value, message=reason)
    code, detail = AlarmCode.ACCOUNT_HELD, {"broker_account": name, "state": state.value, "reason": reason}
    alarms.raise_alarm(session, code, now, detail, subject=name)
    log.error("alarm raised", alarm=code.meaning, code=code, **detail)
    return True


def note_refusal(name: str, error: BrokerError, began_at: datetime, *, is_read: bool = False) -> None:
    """Hold the account if it was at fault in a call other than a placement. What fails is left to the next call."""
    if error.scope is not Scope.ACCOUNT:
        return
    try:
        with db.transaction() as session:
            hold_account(
                session, name, Refusal(error.code, error.message, error.scope, began_at), began_at, is_read=is_read
            )
    except DatabaseUnavailable as away:
        troubles.warn(log, str(away), "broker account not held", broker_account=name, reason=str(away))
