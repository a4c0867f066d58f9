"""Who calls, what each role may do, and on whose orders. Each service asks for itself: neither believes the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from api_contract.errors import Forbidden, SecondFactorSetupRequired


class Role(StrEnum):
    VIEWER = "viewer"
    TRADER = "trader"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a role, or an API key of it, may do."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    SLICES_OPERATE = "slices:operate"
    EVENTS_READ = "events:read"
    WEBHOOKS_WRITE = "webhooks:write"


class Standing(StrEnum):
    """What a caller must be, where no scope says it; `account`: anybody who is known, with whatever scopes.

    `staff`: an operator or admin who has logged in.
    """

    ACCOUNT = "account"
    LOGIN = "login"
    ADMIN = "admin"
    GATEWAY = "gateway"
    OVERSIGHT = "oversight"
    STAFF = "staff"


# Whoever may read events may have them posted; an API key only if that was said when it was made.
_READING = frozenset({Scope.ORDERS_READ, Scope.EVENTS_READ, Scope.WEBHOOKS_WRITE})

# An admin looks after people and keys, and trades nothing.
SCOPES: Mapping[str, frozenset[Scope]] = {
    Role.VIEWER: _READING,
    Role.TRADER: _READING | {Scope.ORDERS_WRITE},
    Role.OPERATOR: _READING | {Scope.ORDERS_WRITE, Scope.SLICES_OPERATE},
    Role.ADMIN: _READING,
}
READS_EVERY_ACCOUNT = frozenset({Role.OPERATOR, Role.ADMIN})
CHANGES_EVERY_ACCOUNT = frozenset({Role.OPERATOR})
ADMINISTERS = frozenset({Role.ADMIN})


@dataclass(frozen=True)
class Caller:
    """The account that a call is made for. `session_id`: by a login; `key_id`: by way of an API key.

    `must_enrol`: by a login that may only set up the second factor that its role asks for. `cell`: how gateways call
    the cell that the account is in, None for the default one.
    """

    account_id: str
    role: str
    scopes: frozenset[str] = frozenset()
    session_id: str | None = None
    key_id: str | None = None
    must_enrol: bool = False
    cell: str | None = None


# For the calls that are made for no account.
GATEWAY = Caller("gapi", "gapi")


def check_access(who: Caller, needed: Scope | Standing) -> None:
    """Raise Forbidden unless the caller has the scope, by role and by API key if any, or the standing."""
    if needed == Standing.GATEWAY:
        if who.account_id != GATEWAY.account_id:
            raise Forbidden("only the gateway itself may call this", {"needed": needed})
        return
    if needed == Standing.ACCOUNT:
        return
    if isinstance(needed, Scope):
        _check_scope(who, needed)
        return
    if needed == Standing.OVERSIGHT:
        _check_oversight(who)
        return
    _check_login(who)
    if needed == Standing.ADMIN:
        _check_admin(who)
    if needed == Standing.STAFF:
        _check_staff(who)


def check_enrolled(who: Caller) -> None:
    """Raise SecondFactorSetupRequired for a login that may only set up its second factor."""
    if who.must_enrol:
        message = f"the role {who.role} needs a second factor: set one up, then log in again"
        raise SecondFactorSetupRequired(message, {"role": who.role})


def _check_scope(who: Caller, scope: Scope) -> None:
    if scope not in SCOPES[who.role]:
        raise Forbidden(f"the role {who.role} does not have {scope}", {"role": who.role, "needed": scope})
    if scope not in who.scopes:
        raise Forbidden(f"the API key does not have {scope}", {"needed": scope})


def _check_oversight(who: Caller) -> None:
    # What happens to everybody, for those who may read everybody's orders.
    _check_scope(who, Scope.EVENTS_READ)
    if who.role not in READS_EVERY_ACCOUNT:
        raise Forbidden("this is for operators and admins", {"role": who.role, "needed": Standing.OVERSIGHT})


def _check_login(who: Caller) -> None:
    # Keys do not manage keys or people.
    if who.key_id is not None:
        raise Forbidden("an API key may not do this: log in", {"needed": Standing.LOGIN})


def _check_admin(who: Caller) -> None:
    if who.role not in ADMINISTERS:
        raise Forbidden("this needs an admin", {"role": who.role, "needed": Standing.ADMIN})


def _check_staff(who: Caller) -> None:
    if who.role not in READS_EVERY_ACCOUNT:
        raise Forbidden("this is for operators and admins", {"role": who.role, "needed": Standing.STAFF})
