"""Holds up those who guess passwords, whether the username exists or not, and nobody else.

Failures count for the username together with the network that they come from, and for the address. After some that are
free, each one doubles the time in which no password is looked at. All failures of a username count too, from wherever
they come: when there are many, only networks that its account has logged in from before are let through. So whoever
guesses somebody's password from elsewhere does not lock them out. An hour of rest, or for a username in its network a
success, forgets the failures.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import BoundedSemaphore

from sqlalchemy.orm import Session

from api_contract.errors import RateLimited
from api_contract.log import get_logger
from pulse_core import db
from pulse_core.backoff import backoff
from pulse_core.identity.store import audit, login_failures, login_networks

FREE_IN_NETWORK, FREE_FOR_USERNAME, FREE_FOR_ADDRESS = 5, 50, 30
LONGEST_BLOCK_SECONDS = 900.0
REST = timedelta(hours=1)
TERMINAL = "terminal"
LOOKS_AT_ONCE = 2
_looks = BoundedSemaphore(LOOKS_AT_ONCE)
# What one owner usually has: whoever has one address of these has the others too.
_NETWORK_BITS = {4: 24, 6: 48}

log = get_logger(__name__)


@dataclass(frozen=True)
class Attack:
    """So many failed logins `by` one username or one address; `subject` names it, without saying what it is."""

    by: str
    subject: str
    failures: int
    account_id: str | None
    network: str


# Hears of an attack in the transaction that found it.
OnAttack = Callable[[Session, Attack, datetime], None]


def _unheard(_session: Session, _attack: Attack, _now: datetime) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Attempt:
    """Somebody at `address` (None: at this machine's terminal) who says that they are `username`."""

    username: str
    address: str | None
    on_attack: OnAttack = field(default=_unheard, compare=False)

    @property
    def network(self) -> str:
        """What the address belongs to: of IPv4 its /24, of IPv6 its /48."""
        return TERMINAL if self.address is None else network_of(self.address)

    @property
    def in_network(self) -> str:
        return f"pair:{_digest(f'{self._name} {self.network}')}"

    @property
    def by_username(self) -> str:
        return f"user:{self._name}"

    @property
    def by_address(self) -> str | None:
        return None if self.address is None else f"addr:{_neighbours(self.address)}"

    @property
    def subjects(self) -> dict[str, int]:
        """What failures count for, and how many of them are free."""
        found = {self.in_network: FREE_IN_NETWORK, self.by_username: FREE_FOR_USERNAME}
        return found if self.by_address is None else found | {self.by_address: FREE_FOR_ADDRESS}

    @property
    def _name(self) -> str:
        return _digest(self.username)


def look(attempt: Attempt, now: datetime) -> bool:
    """Whether the username has logged in from this network before; for those who wait for nothing yet.

    Raises RateLimited as `refuse_blocked` does. However many wait for their turn, few hold a connection meanwhile.
    """
    with _looks:
        return _look(attempt, now)


def refuse_blocked(attempt: Attempt, now: datetime) -> None:
    """Raise RateLimited while the address is blocked, or the username in this network, or in all that are new to it."""
    _look(attempt, now)


def _look(attempt: Attempt, now: datetime) -> bool:
    with db.transaction() as session:
        held_up = block(session, attempt, now)
        is_known = login_networks.is_known(session, attempt.username, attempt.network)
    if held_up is not None:
        raise held_up
    return is_known


def block(session: Session, attempt: Attempt, now: datetime) -> RateLimited | None:
    """What such an attempt is refused with at this instant, None if it is not."""
    blocks = login_failures.blocks(session, attempt.subjects, now)
    of_username = blocks.pop(attempt.by_username, None)
    if of_username is not None and not login_networks.is_known(session, attempt.username, attempt.network):
        blocks[attempt.by_username] = of_username
    if not blocks:
        return None
    until = max(blocks.values())
    return RateLimited("too many failed logins", retry_after=math.ceil((until - now).total_seconds()))


def count_failure(attempt: Attempt, account_id: str | None, now: datetime) -> None:
    """Count a wrong password, and block the next ones for a while when there were too many."""
    with db.transaction() as session:
        note_failure(session, attempt, account_id, now)


def note_failure(session: Session, attempt: Attempt, account_id: str | None, now: datetime) -> None:
    """Count a wrong password or code in this transaction."""
    log.warning("login refused", account_id=account_id, address=attempt.address)
    # In one order, whoever counts: two that count the same wait for each other and not in a circle.
    for subject, free in sorted(attempt.subjects.items()):
        failures = login_failures.add(session, subject, now, now - REST)
        if failures >= free:
            _block(session, attempt, subject, failures, free, account_id, now)
    login_failures.forget(session, now - REST)


def welcome(session: Session, attempt: Attempt, account_id: str, now: datetime) -> None:
    """Forget the failures of a username in the network that it has logged in from, and know this network from now on.

    Those of its address stay, as anybody may have an account, and those from elsewhere.
    """
    login_failures.clear(session, attempt.in_network)
    login_networks.note(session, account_id, attempt.network, now)


def network_of(address: str) -> str:
    """The network that an address is counted with."""
    parsed = _parsed(address)
    if parsed is None:
        return _digest(address)
    return str(ip_network(f"{parsed}/{_NETWORK_BITS[parsed.version]}", strict=False))


def _block(
    session: Session, attempt: Attempt, subject: str, failures: int, free: int, account_id: str | None, now: datetime
) -> None:
    until = now + backoff(failures - free + 1, LONGEST_BLOCK_SECONDS)
    login_failures.block(session, subject, until)
    kind = subject.partition(":")[0]
    audit.add(session, "login.blocked", "pulse", account_id, now, attempt.address, by=kind, failures=failures)
    # A user who has forgotten a password is no attack.
    if subject != attempt.in_network:
        by = "username" if subject == attempt.by_username else "address"
        attempt.on_attack(session, Attack(by, subject, failures, account_id, attempt.network), now)


def _neighbours(address: str) -> str:
    # Whoever has one IPv6 address has 2^64 of them.
    parsed = _parsed(address)
    if parsed is None:
        return _digest(address)
    return str(ip_network(f"{parsed}/64", strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
