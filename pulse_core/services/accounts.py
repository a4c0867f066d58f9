"""Who may log in, and with what."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from ulid import ULID

from pulse_core import db
from pulse_core.domain import ids
from pulse_core.domain.enums import Role
from pulse_core.domain.errors import InvalidRequest, InvalidState, NotFound, Unauthorized
from pulse_core.models import Account
from pulse_core.repositories import accounts

USERNAME = re.compile(r"[a-z0-9][a-z0-9_.@-]{1,63}")
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128

_hasher = PasswordHasher()


def add_account(username: str, password: str, role: Role, now: datetime) -> Account:
    """Make an account. Raises InvalidRequest, or InvalidState when the name is taken."""
    if not USERNAME.fullmatch(username):
        rule = "2 to 64 of a-z, 0-9, _ . @ and -, the first a letter or digit"
        raise InvalidRequest(f"username must be {rule}", {"field": "username", "rule": rule})
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        details = {"field": "password", "min_length": SHORTEST_PASSWORD, "max_length": LONGEST_PASSWORD}
        raise InvalidRequest("password must have 12 to 128 characters", details)
    password_hash = _hasher.hash(password)
    with db.transaction() as session:
        if not accounts.add(session, ids.account_id(ULID.from_datetime(now)), username, password_hash, role, now):
            raise InvalidState(f"the username {username} is taken", {"field": "username"})
        account = accounts.by_username(session, username)
    assert account is not None  # noqa: S101
    return account


def authenticate(username: str, password: str) -> Account:
    """The account of these credentials. Raises Unauthorized, the same way and as slowly for every reason."""
    with db.transaction() as session:
        account = accounts.by_username(session, username) if "\x00" not in username else None
    is_right = _verify(account.password_hash if account else _decoy_hash(), password)
    if account is None or not is_right or not account.is_active:
        raise Unauthorized("username or password is wrong")
    return account


def list_accounts() -> Sequence[Account]:
    """Every account, by name."""
    with db.transaction() as session:
        return accounts.all_of_them(session)


def disable_account(username: str, now: datetime) -> None:
    """Bar an account from logging in. Raises NotFound."""
    with db.transaction() as session:
        if not accounts.disable(session, username, now):
            raise NotFound(f"there is no account {username}")


@cache
def _decoy_hash() -> str:
    return _hasher.hash("no account has this password")


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
