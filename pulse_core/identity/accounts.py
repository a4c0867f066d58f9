"""The accounts: who may log in, with what, and as what."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict, Unpack

from ulid import ULID

from api_contract import ids
from api_contract.account_rules import REQUESTS_PER_MINUTE
from api_contract.errors import (
    Forbidden,
    InvalidRequest,
    InvalidState,
    NotFound,
    SecondFactorRequired,
    Unauthorized,
)
from api_contract.scopes import Role
from api_contract.versions import Expected, etag_of
from pulse_core import cursors, db
from pulse_core.copies import copy_of
from pulse_core.identity import login_throttle, passwords
from pulse_core.identity.login_throttle import Attempt
from pulse_core.identity.proof import NO_PROOF, Proof, refusal
from pulse_core.identity.revocations import end_everything
from pulse_core.identity.store import accounts, audit
from pulse_core.identity.tables import Account

USERNAME = re.compile(r"[a-z0-9][a-z0-9_.@-]{1,63}")
TERMINAL = "terminal"
_IN_CURSORS = "accounts"


@dataclass(frozen=True)
class AccountReport:
    """An account without its secrets. `requests_per_minute` None: the installation's limit holds.

    `second_factor_since` None: a password is enough to log in.
    """

    id: str
    username: str
    role: Role
    is_active: bool
    generation: int
    requests_per_minute: int | None
    second_factor_since: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class AccountPage:
    """Accounts by name, and the cursor of the next page, None on the last."""

    users: Sequence[AccountReport]
    next_cursor: str | None


@dataclass(frozen=True)
class Authenticated(AccountReport):
    """An account whose password was right, with the hash that it was right for."""

    password_hash: str = field(repr=False)


class AccountChanges(TypedDict, total=False):
    """What can be changed of an account. `requests_per_minute` None: the installation's limit holds again."""

    role: Role
    is_active: bool
    password: str
    requests_per_minute: int | None


def add_account(username: str, password: str, role: Role, now: datetime, actor: str = TERMINAL) -> AccountReport:
    """Make an account. Raises InvalidRequest, or InvalidState when the name is taken."""
    if not USERNAME.fullmatch(username):
        rule = "2 to 64 of a-z, 0-9, _ . @ and -, the first a letter or digit"
        raise InvalidRequest(f"username must be {rule}", {"field": "username", "rule": rule})
    password_hash = passwords.hashed(password, known=[username])
    with db.transaction() as session:
        if not accounts.add(session, ids.account_id(ULID.from_datetime(now)), username, password_hash, role, now):
            raise InvalidState(f"the username {username} is taken", {"field": "username"})
        account = accounts.by_username(session, username)
        assert account is not None  # noqa: S101
        audit.add(session, "account.added", actor, account.id, now, username=username, role=role.value)
        return copy_of(account, AccountReport)


def authenticate(
    username: str, password: str, attempt: Attempt | None = None, now: datetime | None = None
) -> Authenticated:
    """The account of these credentials. Raises Unauthorized, the same way and as slowly for every reason.

    A failed `attempt` is counted at `now`.
    """
    with db.transaction() as session:
        account = accounts.by_username(session, username) if "\x00" not in username else None
    is_right = passwords.is_right(account.password_hash if account else None, password)
    if account is not None and is_right and account.is_active:
        return copy_of(account, Authenticated)
    if attempt is not None and now is not None:
        login_throttle.count_failure(attempt, account.id if account else None, now)
    raise Unauthorized("username or password is wrong")


def account_of(account_id: str) -> AccountReport:
    """Raises NotFound."""
    with db.transaction() as session:
        account = accounts.get(session, account_id)
    if account is None:
        raise NotFound("there is no such account")
    return copy_of(account, AccountReport)


def account_named(username: str) -> AccountReport:
    """Raises NotFound."""
    with db.transaction() as session:
        account = accounts.by_username(session, username) if USERNAME.fullmatch(username) else None
    if account is None:
        raise NotFound(f"there is no account {username}")
    return copy_of(account, AccountReport)


def usernames(account_ids: Collection[str]) -> dict[str, str]:
    """The usernames of those of the ids that are accounts', by id."""
    with db.transaction() as session:
        return accounts.usernames(session, [one for one in account_ids if ids.ACCOUNT_ID.fullmatch(one)])


def list_accounts() -> Sequence[AccountReport]:
    """Every account, by name."""
    with db.transaction() as session:
        return [copy_of(one, AccountReport) for one in accounts.all_of_them(session)]


def account_page(limit: int, after: str | None, cursor: str | None = None) -> AccountPage:
    """Up to `limit` accounts by name, those after the username `after`, or after the page before.

    Raises InvalidRequest for a cursor that Pulse did not give out for this listing.
    """
    beyond = cursors.decode(cursor, _IN_CURSORS, USERNAME) if cursor is not None else after
    with db.transaction() as session:
        found = accounts.page(session, limit + 1, beyond)
    shown = [copy_of(one, AccountReport) for one in found[:limit]]
    return AccountPage(shown, cursors.encode(shown[-1].username, _IN_CURSORS) if len(found) > limit else None)


def change_account(
    account_id: str,
    now: datetime,
    actor: str = TERMINAL,
    revoke_keys: bool = False,
    expected: Expected | None = None,
    **changes: Unpack[AccountChanges],
) -> AccountReport:
    """Change what is given; all but a new limit ends every login and token of the account. Its orders go on.

    With `revoke_keys` that ends its API keys too. Raises NotFound, InvalidRequest, PreconditionFailed unless it is as
    `expected`, or InvalidState for admins who would lock themselves out.
    """
    if account_id == actor and (changes.get("is_active") is False or changes.get("role", Role.ADMIN) != Role.ADMIN):
        raise InvalidState("nobody may disable or demote their own account", {"account_id": account_id})
    _check_limit(changes.get("requests_per_minute"))
    given: dict[str, Any] = {**changes}
    if "password" in given:
        known = [account_of(account_id).username]
        given["password_hash"] = passwords.hashed(given.pop("password"), known=known)
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        if account is None:
            raise NotFound("there is no such account")
        _check_expected(account, expected)
        changed = {name: new for name, new in given.items() if new != getattr(account, name)}
        if changed:
            audit.add(session, "account.changed", actor, account_id, now, **_audited(account, changed))
            accounts.change(session, account, now, **changed)
        if changed.keys() - {"requests_per_minute"}:
            end_everything(session, account, now, actor if revoke_keys else None)
        return copy_of(account, AccountReport)


def disable_account(username: str, now: datetime) -> None:
    """Bar an account from logging in, and end what it has. Raises NotFound."""
    change_account(account_named(username).id, now, is_active=False)


@dataclass(frozen=True)
class Offboarded:
    """An account that is out, and how many of its API keys ended with that."""

    account: AccountReport
    keys_revoked: int


def offboard_account(account_id: str, actor: str, now: datetime, expected: Expected | None = None) -> Offboarded:
    """Disable an account for good: its logins, tokens and API keys end, and no key works again if it is enabled later.

    Repeating it is harmless. Raises NotFound, PreconditionFailed unless it is as `expected`, or InvalidState for admins
    who would lock themselves out.
    """
    if account_id == actor:
        raise InvalidState("nobody may disable or demote their own account", {"account_id": account_id})
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        if account is None:
            raise NotFound("there is no such account")
        _check_expected(account, expected)
        accounts.change(session, account, now, is_active=False)
        audit.add(session, "account.offboarded", actor, account_id, now)
        revoked = end_everything(session, account, now, actor)
        return Offboarded(copy_of(account, AccountReport), revoked)


def change_password(
    account_id: str,
    current: str,
    new: str,
    address: str | None,
    now: datetime,
    revoke_keys: bool = False,
    proof: Proof = NO_PROOF,
) -> None:
    """Set a new password for those who know the current one, and end all logins of the account, with its keys if asked.

    Raises Forbidden, InvalidRequest, RateLimited after too many wrong ones, NotFound.
    """
    confirm(account_id, current, address, now, "current_password", proof)
    change_account(account_id, now, account_id, revoke_keys, password=new)


def confirm(
    account_id: str,
    password: str | None,
    address: str | None,
    now: datetime,
    field: str = "password",
    proof: Proof = NO_PROOF,
) -> None:
    """Ask somebody who has logged in for their password again, and for a code where a second factor is on.

    Raises Forbidden, RateLimited after too many wrong ones, NotFound, InvalidState.
    """
    if password is None:
        raise Forbidden("this takes the account's password again", {"field": field})
    account = account_of(account_id)
    attempt = Attempt(account.username, address)
    with passwords.turn(goes_first=True):
        login_throttle.refuse_blocked(attempt, now)
        try:
            authenticate(account.username, password, attempt, now)
        except Unauthorized:
            raise Forbidden(f"{field} is not the account's", {"field": field}) from None
    _prove(account_id, proof, attempt, now)


def _prove(account_id: str, proof: Proof, attempt: Attempt, now: datetime) -> None:
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        if account is None:
            raise NotFound("there is no such account")
        refused = refusal(session, account, proof, attempt, now)
    if isinstance(refused, SecondFactorRequired):
        # As for a wrong password: the login itself goes on.
        raise Forbidden(refused.message, refused.details)
    if refused is not None:
        raise refused


def _check_expected(account: Account, expected: Expected | None) -> None:
    if expected is not None:
        expected.check(etag_of(copy_of(account, AccountReport)))


def _check_limit(requests_per_minute: int | None) -> None:
    least, most = REQUESTS_PER_MINUTE
    if requests_per_minute is not None and not least <= requests_per_minute <= most:
        details = {"field": "requests_per_minute", "min": least, "max": most}
        raise InvalidRequest(f"requests_per_minute must be from {least} to {most}", details)


def _audited(account: Account, changes: dict[str, Any]) -> dict[str, Any]:
    told = {name: f"{getattr(account, name)} -> {new}" for name, new in changes.items() if name != "password_hash"}
    return told | ({"password": "changed"} if "password_hash" in changes else {})
