"""Tokens end, most of them each morning: operators hear of it an hour before, and nothing is sent after.

Postgres's clock decides. A warning is raised with the row that notes it, so once for each token.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core import db
from pulse_core.broker_accounts.store import credentials
from pulse_core.broker_accounts.store.states import NOTICED
from pulse_core.broker_accounts.tables import BrokerCredentials
from pulse_core.brokers.port import TOKEN_ENDED, Scope
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.refused_accounts import Refusal, hold_account
from pulse_core.trading.store import alarms

AHEAD = timedelta(hours=1)
ENDED = "its login has ended"

log = get_logger(__name__)


def watch_logins(now: datetime) -> int:
    """Warn of tokens that end within the hour, and hold accounts whose token has ended until somebody logs in."""
    with db.transaction() as session:
        ended = [row for row in credentials.ended(session) if _hold(session, row, now)]
        ending = [row for row in credentials.to_warn_of(session, AHEAD) if row not in ended]
        for row in ending:
            _warn(session, row, now)
        return len(ended) + len(ending)


def _hold(session: Session, row: BrokerCredentials, now: datetime) -> bool:
    # No call was refused that may have been made with the login of before.
    refusal = Refusal(TOKEN_ENDED, ENDED, Scope.ACCOUNT, began_at=now + NOTICED)
    return hold_account(session, row.broker_account, refusal, now)


def _warn(session: Session, row: BrokerCredentials, now: datetime) -> None:
    code, valid_until = AlarmCode.TOKEN_ENDS, row.valid_until.isoformat() if row.valid_until else None
    detail = {"broker_account": row.broker_account, "broker_user": row.broker_user, "valid_until": valid_until}
    alarms.raise_alarm(session, code, now, detail, subject=row.broker_account)
    db.after_commit(session, lambda: log.error("alarm raised", alarm=code.meaning, code=code, **detail))
