"""Tokens end, most of them each morning: operators hear of it an hour before, and nothing is sent after.

Postgres's clock decides. Each alarm is raised with the row that notes it, so once for each token.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core import db
from pulse_core.broker_accounts.store import credentials
from pulse_core.broker_accounts.tables import BrokerCredentials
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.store import alarms

AHEAD = timedelta(hours=1)
ENDED = "its login has ended"

log = get_logger(__name__)


def watch_logins(now: datetime) -> int:
    """Warn of tokens that end within the hour, and let accounts whose token has ended wait for one."""
    with db.transaction() as session:
        ended = [row for row in credentials.ended(session) if _let_wait(session, row, now)]
        ending = credentials.to_warn_of(session, AHEAD)
        for row in ending:
            if row not in ended:
                _raise(session, AlarmCode.TOKEN_ENDS, row, now)
        return len(ended) + len(ending)


def _let_wait(session: Session, row: BrokerCredentials, now: datetime) -> bool:
    if not credentials.await_token(session, row.broker_account, ENDED):
        return False
    _raise(session, AlarmCode.TOKEN_ENDED, row, now)
    return True


def _raise(session: Session, code: AlarmCode, row: BrokerCredentials, now: datetime) -> None:
    valid_until = row.valid_until.isoformat() if row.valid_until else None
    detail = {"broker_account": row.broker_account, "broker_user": row.broker_user, "valid_until": valid_until}
    alarms.raise_alarm(session, code, now, detail, subject=row.broker_account)
    db.after_commit(session, lambda: log.error("alarm raised", alarm=code.meaning, code=code, **detail))
