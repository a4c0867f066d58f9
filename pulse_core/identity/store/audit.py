"""The append-only record of everything that concerns access."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from api_contract.log import get_logger
from pulse_core.identity.tables import AuditEntry

log = get_logger(__name__)


def add(
    session: Session,
    action: str,
    actor: str,
    subject: str | None,
    now: datetime,
    address: str | None = None,
    **detail: Any,
) -> None:
    """Record and log that `actor` did something; `subject` is the account or the key that it was done to."""
    row = {"at": now, "actor": actor, "action": action, "subject": subject, "address": address, "detail": detail}
    session.execute(insert(AuditEntry), [row])
    log.info("access changed", action=action, actor=actor, subject=subject, address=address, **detail)
