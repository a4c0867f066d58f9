"""What each role may do. pulse states the same for itself (`pulse_core/domain/roles.py`): neither trusts the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a role, or an API key of it, may do."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    SLICES_OPERATE = "slices:operate"
    EVENTS_READ = "events:read"


_READING = frozenset({Scope.ORDERS_READ, Scope.EVENTS_READ})

# An admin looks after people and keys, and trades nothing.
SCOPES: Mapping[str, frozenset[Scope]] = {
    "viewer": _READING,
    "trader": _READING | {Scope.ORDERS_WRITE},
    "operator": _READING | {Scope.ORDERS_WRITE, Scope.SLICES_OPERATE},
    "admin": _READING,
}
ADMINISTERS = frozenset({"admin"})


@dataclass(frozen=True)
class Caller:
    """The account that a call is made for. `session_id`: by a login; `key_id`: by way of an API key."""

    account_id: str
    role: str
    scopes: frozenset[Scope] = frozenset()
    session_id: str | None = None
    key_id: str | None = None


# For the calls that are made for no account.
GATEWAY = Caller("gapi", "gapi")
