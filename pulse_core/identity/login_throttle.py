"""Holds up those who guess passwords, whether the username exists or not.

Failures count for the username and for the address that they come from. After some that are free, each one doubles the
time in which no password is looked at. An hour of rest, or for the username a success, forgets them.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy.orm import Session

from api_contract.errors import RateLimited
from api_contract.log import get_logger
from pulse_core import db
from pulse_core.backoff import backoff
from pulse_core.identity.store import audit, login_failures

FREE_FOR_USERNAME, FREE_FOR_ADDRESS = 5, 30
LONGEST_BLOCK_SECONDS = 900.0
REST = timedelta(hours=1)

log = get_logger(__name__)


@dataclass(frozen=True)
class Attempt:
    """Somebody at `address` (None: at this machine's terminal) who says that they are `username`."""

    username: str
    address: str | None

    @property
    def by_username(self) -> str:
        return f"user:{hashlib.sha256(self.username.encode(errors='replace')).hexdigest()}"

    @property
    def subjects(self) -> dict[str, int]:
        """What failures count for, and how many of them are free."""
        found = {self.by_username: FREE_FOR_USERNAME}
        return found if self.address is None else found | {f"addr:{_network(self.address)}": FREE_FOR_ADDRESS}


def refuse_blocked(attempt: Attempt, now: datetime) -> None:
    """Raise RateLimited while the username or the address is blocked."""
    with db.transaction() as session:
        until = login_failures.blocked_until(session, attempt.subjects)
    if until is not None and until > now:
        raise RateLimited("too many failed logins", retry_after=math.ceil((until - now).total_seconds()))


def count_failure(attempt: Attempt, account_id: str | None, now: datetime) -> None:
    """Count a wrong password, and block the next ones for a while when there were too many."""
    log.warning("login refused", account_id=account_id, address=attempt.address)
    with db.transaction() as session:
        for subject, free in attempt.subjects.items():
            failures = login_failures.add(session, subject, now, now - REST)
            if failures >= free:
                _block(session, attempt, subject, failures, free, account_id, now)
        login_failures.forget(session, now - REST)


def forgive(session: Session, attempt: Attempt) -> None:
    """Forget the failures of a username that has logged in. Those of its address stay: anybody may have an account."""
    login_failures.clear(session, attempt.by_username)


def _block(
    session: Session, attempt: Attempt, subject: str, failures: int, free: int, account_id: str | None, now: datetime
) -> None:
    until = now + backoff(failures - free + 1, LONGEST_BLOCK_SECONDS)
    login_failures.block(session, subject, until)
    kind = subject.partition(":")[0]
    audit.add(session, "login.blocked", "pulse", account_id, now, attempt.address, by=kind, failures=failures)


def _network(address: str) -> str:
    # Whoever has one IPv6 address has 2^64 of them.
    try:
        parsed = ip_address(address)
    except ValueError:
        return hashlib.sha256(address.encode(errors="replace")).hexdigest()
    return str(ip_network(f"{parsed}/64", strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)
