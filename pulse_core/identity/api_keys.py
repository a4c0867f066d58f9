"""API keys: for programs, which cannot log in each day.

A key is `pk_`, the 26 characters of its id, `_`, 40 secret characters, and 6 that are a checksum of all before, so that
a mistyped key and a leaked one are told from any other text without asking. Only the hash of the secret is kept.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ulid import ULID

from api_contract import ids
from api_contract.account_rules import LONGEST_KEY_LIFE_DAYS, MOST_NETWORKS, network
from api_contract.errors import InvalidRequest, InvalidState, NotFound, Unauthorized
from api_contract.scopes import SCOPES, Role, Scope
from api_contract.vocabulary import RevocationKind
from pulse_core import cursors, db
from pulse_core.copies import copy_of
from pulse_core.identity import revocations
from pulse_core.identity.store import accounts, api_keys, audit
from pulse_core.identity.tables import ApiKey
from pulse_core.owner import OneAccount, Owner

CHECKSUM_LENGTH = 6
MOST_LIVE_KEYS = 20
USE_IS_NOTED_EACH = timedelta(minutes=1)

_ALPHABET = string.digits + string.ascii_letters
_TEXT = re.compile(r"pk_(?P<id>[0-9A-HJKMNP-TV-Z]{26})_(?P<secret>[0-9A-Za-z]{40})(?P<checksum>[0-9A-Za-z]{6})")
_NAME = re.compile(r"[\x20-\x7e]{1,64}")


@dataclass(frozen=True)
class KeyReport:
    """An API key without its secret."""

    id: str
    account_id: str
    name: str
    scopes: Sequence[str]
    networks: Sequence[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class KeyPage:
    """Keys, the newest first, and the cursor of the next page, None on the last."""

    keys: Sequence[KeyReport]
    next_cursor: str | None


@dataclass(frozen=True)
class NewKey:
    """A key and its text, which nobody will see again."""

    key: KeyReport
    text: str


@dataclass(frozen=True)
class Holder:
    """Whom a key speaks for, what it may do, and how often, None for as often as the installation lets everybody.

    It holds for callers from its `networks`, from everywhere without any. `generation` is that of the account: with the
    next one the key may speak for nobody.
    """

    key_id: str
    account_id: str
    role: Role
    scopes: Sequence[Scope]
    expires_at: datetime
    requests_per_minute: int | None
    networks: Sequence[str]
    generation: int


def add_key(
    account_id: str,
    name: str,
    scopes: Collection[Scope],
    days: int,
    now: datetime,
    actor: str | None = None,
    networks: Sequence[str] = (),
) -> NewKey:
    """Make a key, to be used from these networks alone if any are given.

    Raises InvalidRequest for a scope that the role does not have, InvalidState, NotFound.
    """
    _check(name, days, networks)
    ulid = ULID.from_datetime(now)
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(40))
    body = f"pk_{ulid}_{secret}"
    with db.transaction() as session:
        account = accounts.lock(session, account_id)
        if account is None or not account.is_active:
            raise NotFound("there is no such account")
        _check_scopes(scopes, account.role)
        if api_keys.count_live(session, account_id, now) >= MOST_LIVE_KEYS:
            raise InvalidState(f"an account has at most {MOST_LIVE_KEYS} keys: revoke one", {"max": MOST_LIVE_KEYS})
        key = ApiKey(
            id=ids.api_key_id(ulid),
            account_id=account_id,
            name=name,
            secret_hash=_hash(secret),
            scopes=sorted(scope.value for scope in scopes),
            networks=list(networks),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        api_keys.add(session, key)
        audit.add(session, "key.added", actor or account_id, key.id, now, account_id=account_id, scopes=key.scopes)
        return NewKey(copy_of(key, KeyReport), body + checksum(body))


def holder_of(text: str, now: datetime) -> Holder:
    """Whom a key speaks for, with the scopes that its account's role still has. Raises Unauthorized."""
    parts = _TEXT.fullmatch(text)
    if parts is None or checksum(text[:-CHECKSUM_LENGTH]) != parts["checksum"]:
        raise Unauthorized("the API key is not valid")
    with db.transaction() as session:
        found = api_keys.with_account(session, f"key_{parts['id']}")
        if found is None or not hmac.compare_digest(found[0].secret_hash, _hash(parts["secret"])):
            raise Unauthorized("the API key is not valid")
        key, account = found
        if key.revoked_at is not None or key.expires_at <= now or not account.is_active:
            raise Unauthorized("the API key is not valid")
        api_keys.note_use(session, key.id, now, now - USE_IS_NOTED_EACH)
    scopes = sorted(SCOPES[account.role].intersection(Scope(one) for one in key.scopes))
    limit = account.requests_per_minute
    return Holder(key.id, account.id, account.role, scopes, key.expires_at, limit, key.networks, account.generation)


def key_page(owner: Owner, limit: int, before: str | None, cursor: str | None = None) -> KeyPage:
    """Up to `limit` keys of the owner, the newest first, those older than the key `before`, or after the page before.

    Raises InvalidRequest for a cursor that Pulse did not give out for this owner.
    """
    scope = f"keys {owner.account_id if isinstance(owner, OneAccount) else ''}"
    beyond = cursors.decode(cursor, scope, ids.KEY_ID) if cursor is not None else before
    with db.transaction() as session:
        found = api_keys.page(session, owner, limit + 1, beyond)
    shown = [copy_of(one, KeyReport) for one in found[:limit]]
    return KeyPage(shown, cursors.encode(shown[-1].id, scope) if len(found) > limit else None)


def revoke_key(owner: Owner, key_id: str, actor: str, now: datetime) -> KeyReport:
    """Revoke a key of the owner; repeating it is harmless. Raises NotFound."""
    with db.transaction() as session:
        key = api_keys.revoke(session, owner, key_id, now)
        if key is None:
            raise NotFound("there is no such key")
        if key.revoked_at == now:
            audit.add(session, "key.revoked", actor, key_id, now, account_id=key.account_id)
            revocations.record(session, RevocationKind.KEY, key_id, now)
        return copy_of(key, KeyReport)


def checksum(body: str) -> str:
    """The CRC-32 of the text before them, in base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def _check(name: str, days: int, networks: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        rule = "1 to 64 printable ASCII characters"
        raise InvalidRequest(f"name must be {rule}", {"field": "name", "rule": rule})
    if not 1 <= days <= LONGEST_KEY_LIFE_DAYS:
        details = {"field": "expires_in_days", "min": 1, "max": LONGEST_KEY_LIFE_DAYS}
        raise InvalidRequest(f"expires_in_days must be from 1 to {LONGEST_KEY_LIFE_DAYS}", details)
    if len(networks) > MOST_NETWORKS:
        raise InvalidRequest(f"a key has at most {MOST_NETWORKS} networks", {"field": "networks", "max": MOST_NETWORKS})
    for one in networks:
        _check_network(one)


def _check_network(text: str) -> None:
    try:
        network(text)
    except ValueError:
        rule = "an address, or a network like 203.0.113.0/24 without host bits"
        raise InvalidRequest(f"networks must be {rule}", {"field": "networks", "rule": rule}) from None


def _check_scopes(scopes: Collection[Scope], role: Role) -> None:
    allowed = sorted(SCOPES[role])
    if not scopes or not set(scopes) <= SCOPES[role]:
        raise InvalidRequest(
            f"scopes must be some of {', '.join(allowed)}", {"field": "scopes", "role": role, "allowed": allowed}
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
