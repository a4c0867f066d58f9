"""The words of broker accounts."""

from enum import StrEnum


class BrokerAccountState(StrEnum):
    """Whether slices can be placed with a broker account now."""

    READY = "READY"
    """Its credentials work, as far as is known."""
    AWAITING_TOKEN = "AWAITING_TOKEN"  # noqa: S105
    """Somebody has to log in: its token has ended, or it never had one. Nothing is sent until then."""
    BLOCKED = "BLOCKED"
    """The broker refuses the account itself, as from an address that is not registered. Nothing is sent until then."""
