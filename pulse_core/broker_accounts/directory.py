"""The broker accounts of this installation, as every process knows them.

Each reads them at most once a second: an account, or new credentials of one, is in use everywhere a second later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from api_contract.kept import Kept
from pulse_core import db
from pulse_core.broker_accounts.store import accounts
from pulse_core.broker_accounts.vocabulary import PAPER, BrokerAccountState
from pulse_core.broker_keys import CREDENTIALS
from pulse_core.clock import utcnow
from pulse_core.config import is_placeholder, settings


@dataclass(frozen=True)
class KnownAccount:
    """A broker account. `credentials_version` None: it has none of its own.

    After a restore of the database the number may be that of others, which were made at another time.
    """

    name: str
    broker: str
    is_live: bool
    options: Mapping[str, Any] = field(hash=False)
    state: BrokerAccountState
    credentials_version: int | None
    credentials_made_at: datetime | None


def accounts_known() -> Mapping[str, KnownAccount]:
    """Every account by name, read at most a second ago. Not inside a transaction. Raises DatabaseUnavailable."""
    return _kept.get()


def account_named(name: str) -> KnownAccount | None:
    """Raises DatabaseUnavailable. Not inside a transaction, either."""
    return accounts_known().get(name)


def forget() -> None:
    """Read them anew when next asked."""
    _kept.forget()


def _read() -> Mapping[str, KnownAccount]:
    with db.statement() as connection:
        found = _all(connection)
        if missing := _always_there() - found.keys():
            for name in missing:
                _add(connection, name)
            found = _all(connection)
    return found


def _all(connection: Connection) -> dict[str, KnownAccount]:
    names = KnownAccount.__dataclass_fields__
    return {row.name: KnownAccount(**{one: getattr(row, one) for one in names}) for row in accounts.every(connection)}


def _always_there() -> set[str]:
    """The paper account, and the one of an installation that knows no other names than those of brokers."""
    return {PAPER, settings().broker}


def _add(connection: Connection, name: str) -> None:
    is_ready = name == PAPER or not is_placeholder(getattr(settings(), CREDENTIALS[name].proof))
    state = BrokerAccountState.READY if is_ready else BrokerAccountState.AWAITING_TOKEN
    accounts.add(
        connection, name, name, utcnow(), is_live=name != PAPER, made_by="pulse", state=state, is_of_before=True
    )


_kept = Kept(_read)
