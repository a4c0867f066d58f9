"""The vault: what broker accounts are reached with, sealed in their rows by the keys of PULSE_VAULT_KEYS.

AES-GCM; each secret opens as that of its account, its version and its column alone. The first key seals, all open, so
that a new one can be brought in while trading goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.errors import InvalidRequest, NotFound
from pulse_core import db
from pulse_core.broker_accounts.store import credentials
from pulse_core.broker_accounts.tables import BrokerCredentials
from pulse_core.config import vault_keys
from pulse_core.sealing import KeyRing

_PURPOSE = "credentials of broker accounts"
_AT_A_TIME = 50
LONGEST = 512


@dataclass(frozen=True)
class Credentials:
    """What a broker account is reached with, open. `version` 0: of no row."""

    account: str
    version: int
    api_key: str
    api_secret: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    broker_user: str | None = None
    valid_until: datetime | None = None
    made_at: datetime | None = None


@dataclass(frozen=True)
class Resealed:
    """How many versions were sealed anew, and how many are still sealed with keys other than the newest, by id.

    A key of `needed` that is not in the ring is one without which these versions stay shut.
    """

    count: int
    newest: str
    needed: Mapping[str, int]
    missing: frozenset[str]


def keep(session: Session, given: Credentials, actor: str, now: datetime) -> int:
    """Seal these credentials as a new version, which counts from the commit on; returns its number.

    Raises NotFound for an account that does not exist, InvalidRequest for what nobody could log in with.
    """
    check(given)
    if credentials.lock_account(session, given.account) is None:
        raise NotFound(f"there is no broker account {given.account}")
    before = credentials.newest(session, given.account)
    version, ring = (before.version if before else 0) + 1, _ring()
    row = BrokerCredentials(
        broker_account=given.account,
        version=version,
        api_key=given.api_key,
        secret_sealed=ring.sealed(given.api_secret, _owner(given.account, version, "secret")),
        token_sealed=_sealed_token(ring, given.access_token, given.account, version),
        key_id=ring.newest,
        broker_user=given.broker_user,
        valid_until=given.valid_until,
        made_by=actor,
        made_at=now,
    )
    credentials.add(session, row)
    return version


def newest(account: str) -> Credentials | None:
    """What counts, None where nothing is sealed. Raises KeyMissing, UnknownKey, Unreadable, DatabaseUnavailable."""
    with db.transaction() as session:
        row = credentials.newest(session, account)
        return None if row is None else opened(row)


def opened(row: BrokerCredentials, ring: KeyRing | None = None) -> Credentials:
    """A version, open: by the keys of this process, unless others are given. Raises as above."""
    account, version, ring = row.broker_account, row.version, ring or _ring()
    token = row.token_sealed
    return Credentials(
        account=account,
        version=version,
        api_key=row.api_key,
        api_secret=ring.opened(row.secret_sealed, _owner(account, version, "secret"), row.key_id),
        access_token=None if token is None else ring.opened(token, _owner(account, version, "token"), row.key_id),
        broker_user=row.broker_user,
        valid_until=row.valid_until,
        made_at=row.made_at,
    )


def reseal_all() -> Resealed:
    """Seal every version with the newest key, a few at a time, beside whoever reads and adds versions.

    Versions that no key of the ring opens stay as they are. Raises KeyMissing, DatabaseUnavailable.
    """
    ring, count = _ring(), 0
    openable = frozenset(ring.keys)
    while resealed := _reseal_some(ring, openable):
        count += resealed
    with db.transaction() as session:
        by_key = credentials.count_by_key(session)
    needed = {key_id: held for key_id, held in sorted(by_key.items()) if key_id != ring.newest}
    return Resealed(count, ring.newest, needed, frozenset(needed) - openable)


def _reseal_some(ring: KeyRing, openable: frozenset[str]) -> int:
    with db.transaction() as session:
        rows = credentials.sealed_with(session, openable - {ring.newest}, _AT_A_TIME)
        for row in rows:
            given = opened(row)
            secret = ring.sealed(given.api_secret, _owner(row.broker_account, row.version, "secret"))
            token = _sealed_token(ring, given.access_token, row.broker_account, row.version)
            credentials.reseal(session, row, secret, token, ring.newest)
        return len(rows)


def _sealed_token(ring: KeyRing, token: str | None, account: str, version: int) -> str | None:
    return None if token is None else ring.sealed(token, _owner(account, version, "token"))


def _owner(account: str, version: int, column: str) -> str:
    return f"{account} {version} {column}"


def ring_of(keys: Mapping[str, str]) -> KeyRing:
    """What opens the vault with these keys, by their ids, the newest first."""
    return KeyRing(keys, _PURPOSE)


def _ring() -> KeyRing:
    return ring_of(vault_keys())


def check(given: Credentials) -> None:
    """Raise InvalidRequest for what nobody could log in with, KeyMissing where it could not be sealed."""
    _ring()
    texts = {"api_key": given.api_key, "api_secret": given.api_secret, "access_token": given.access_token}
    for name, text in texts.items():
        # They become a header and a form: what cannot be printed there is a slip of whoever pasted it.
        if text is not None and not (1 <= len(text) <= LONGEST and text.isascii() and text.isprintable()):
            raise InvalidRequest(f"{name} must have 1 to {LONGEST} printable ASCII characters", {"field": name})
