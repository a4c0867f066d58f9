"""Passwords: what they must be, how they are kept, and how many are checked at once."""

import os
import sys
from bisect import insort
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from threading import Condition, get_native_id

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api_contract.errors import InvalidRequest, RateLimited

SHORTEST, LONGEST = 12, 128
# Of zxcvbn's scores from 0 to 4 the first that calls a password safely unguessable.
LEAST_SCORE = 3

# The estimate takes longer with every character, and whoever is safe with so many is safe with more.
_LOOKED_AT = 32

_hasher = PasswordHasher()
# Each check takes 64 MiB and tens of milliseconds of several cores: a flood of logins must not starve the orders.
CHECKED_AT_ONCE = min(max((os.cpu_count() or 1) // 2, 1), 4)
_LONGEST_WAIT_SECONDS = 5.0
_NICENESS = 10


class Turns:
    """So many at once. Who goes first goes before all who do not; among equals, who came first."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: list[tuple[bool, int]] = []
        self._numbers = count()
        self._changed = Condition()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self, goes_first: bool, seconds: float) -> bool:
        """Whether there was a turn within that time."""
        with self._changed:
            mine = (not goes_first, next(self._numbers))
            insort(self._waiting, mine)
            is_taken = self._changed.wait_for(lambda: self._free > 0 and self._waiting[0] == mine, seconds)
            self._waiting.remove(mine)
            self._free -= is_taken
            self._changed.notify_all()
            return is_taken

    def give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


_turns = Turns(CHECKED_AT_ONCE)


def hashed(password: str, field: str = "password", known: Collection[str] = ()) -> str:
    """The salted hash of a new password.

    Raises InvalidRequest for one that is too short, too long, or easily guessed by those who know the `known` words.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        details = {"field": field, "min_length": SHORTEST, "max_length": LONGEST}
        raise InvalidRequest(f"{field} must have {SHORTEST} to {LONGEST} characters", details)
    _refuse_easily_guessed(password, field, known)
    return _threads().submit(_hasher.hash, password).result()


def is_right(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; as slow without a hash as with one."""
    try:
        return _threads().submit(_hasher.verify, password_hash or _decoy_hash(), password).result()
    except (VerificationError, InvalidHashError):
        return False


@contextmanager
def turn(goes_first: bool = False) -> Iterator[None]:
    """One of the few checks that run at once in this process. Raises RateLimited after a while.

    Who `goes_first` waits for none of those who do not, however many they are.
    """
    if not _turns.take(goes_first, _LONGEST_WAIT_SECONDS):
        raise RateLimited("too many logins at once", retry_after=1)
    try:
        yield
    finally:
        _turns.give_back()


def _refuse_easily_guessed(password: str, field: str, known: Collection[str]) -> None:
    # Its lists of words take time and memory that only a new password needs.
    from zxcvbn import zxcvbn

    estimate = zxcvbn(password[:_LOOKED_AT], user_inputs=["pulse", *known])
    if estimate["score"] >= LEAST_SCORE:
        return
    why = estimate["feedback"]["warning"].rstrip(".")
    rule = "one that is not easily guessed: several words that do not belong together, or a generated one"
    raise InvalidRequest(
        f"{field} is too easily guessed" + (f": {why[0].lower()}{why[1:]}" if why else ""),
        {"field": field, "rule": rule},
    )


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CHECKED_AT_ONCE, "passwords", initializer=_give_way)


def _give_way() -> None:
    # Of this thread alone, and of those that argon2 starts: whatever else there is to do goes before a password.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)


@cache
def _decoy_hash() -> str:
    return _hasher.hash("no account has this password")
