"""Passwords: what they must be, how they are kept, and how many are checked at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api_contract.errors import InvalidRequest, RateLimited

SHORTEST, LONGEST = 12, 128

_hasher = PasswordHasher()
# Each check takes 64 MiB and tens of milliseconds of CPU: a flood of logins must not starve the orders.
_turns = BoundedSemaphore(4)
_LONGEST_WAIT_SECONDS = 2.0


def hashed(password: str, field: str = "password") -> str:
    """The salted hash of a new password. Raises InvalidRequest for one that is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        details = {"field": field, "min_length": SHORTEST, "max_length": LONGEST}
        raise InvalidRequest(f"{field} must have {SHORTEST} to {LONGEST} characters", details)
    return _hasher.hash(password)


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; as slow without a hash as with one."""
    try:
        return _hasher.verify(password_hash or _decoy_hash(), password)
    except (VerificationError, InvalidHashError):
        return False


@contextmanager
def turn() -> Iterator[None]:
    """One of the few checks that run at once in this process. Raises RateLimited after a short wait."""
    if not _turns.acquire(timeout=_LONGEST_WAIT_SECONDS):
        raise RateLimited("too many logins at once", retry_after=1)
    try:
        yield
    finally:
        _turns.release()


@cache
def _decoy_hash() -> str:
    return _hasher.hash("no account has this password")
