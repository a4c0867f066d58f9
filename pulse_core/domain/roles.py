"""What each role may do, and on whose orders. The gateway states the same for itself (`gapi_app/roles.py`)."""

from collections.abc import Mapping

from pulse_core.domain.enums import Role, Scope

_READING = frozenset({Scope.ORDERS_READ, Scope.EVENTS_READ})

# An admin looks after people and keys, and trades nothing.
SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: _READING,
    Role.TRADER: _READING | {Scope.ORDERS_WRITE},
    Role.OPERATOR: _READING | {Scope.ORDERS_WRITE, Scope.SLICES_OPERATE},
    Role.ADMIN: _READING,
}
READS_EVERY_ACCOUNT = frozenset({Role.OPERATOR, Role.ADMIN})
CHANGES_EVERY_ACCOUNT = frozenset({Role.OPERATOR})
ADMINISTERS = frozenset({Role.ADMIN})
