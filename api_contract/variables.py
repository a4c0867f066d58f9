"""Names of environment variables: ours begin with `PULSE_`, those of others keep theirs.

Some of ours had no prefix before. An old name is read where the new one is not set, and is warned about.
"""

import os
from collections.abc import Iterable, Mapping

from pydantic import AliasChoices, AliasGenerator

from api_contract.log import get_logger

PREFIX = "PULSE_"
# Each is `PULSE_` and this now.
OLD_NAMES = frozenset(
    {
        "BROKER",
        "BROKER_ORDERS_PER_SECOND",
        "BROKER_TIMEOUT",
        "DATABASE_LOCK_TIMEOUT",
        "DATABASE_POOL_SIZE",
        "DATABASE_STATEMENT_TIMEOUT",
        "DISPATCH_HORIZON",
        "LATE_GRACE",
        "LEASE",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "OVERDUE_AFTER",
        "PAPER_DAY_STARTS",
        "PAPER_EXCHANGE_URL",
        "PLACEMENT_ATTEMPTS",
        "QUEUE_PREFIX",
        "RETRY_BACKOFF_MAX",
        "SETTLE_DELAY",
        "SLICE_TIMEOUT",
    }
)
_OF_OTHERS = ("DATABASE_URL", "REDIS_URL", "KITE_", "ALPACA_")

log = get_logger(__name__)


def names_of(field: str) -> list[str]:
    """The variables that a setting is read from; the first that is set counts."""
    name = field.upper()
    if name.startswith((PREFIX, *_OF_OTHERS)):
        return [name]
    return [PREFIX + name, name] if name in OLD_NAMES else [PREFIX + name]


def aliases_of(field: str) -> AliasChoices:
    return AliasChoices(*names_of(field))


# For the `alias_generator` of settings.
NAMES = AliasGenerator(validation_alias=aliases_of)


def as_set(field: str) -> str:
    """The name under which a setting is set, given its field or its variable: the old one where only that is."""
    variable = names_of(field)[0]
    old, found = variable.removeprefix(PREFIX), _upper(os.environ)
    return old if old in OLD_NAMES and old in found and variable not in found else variable


def value_of(variable: str, default: str) -> str:
    """What a variable is set to, under its new or its old name."""
    return _upper(os.environ).get(as_set(variable), default)


def with_new_names(environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment without old names. Where both were set, the new one has counted."""
    found = {name: value for name, value in environment.items() if name.upper() not in OLD_NAMES}
    for name, value in environment.items():
        if name.upper() in OLD_NAMES:
            found.setdefault(PREFIX + name.upper(), value)
    return found


def old_names_set(fields: Iterable[str] = OLD_NAMES) -> list[str]:
    """A clause for each of these settings that is set under its old name, without its value."""
    found = _upper(os.environ)
    old = sorted({field.upper() for field in fields} & OLD_NAMES & found.keys())
    return [_clause(name, found) for name in old]


def warn_of_old_names(fields: Iterable[str]) -> None:
    """Log one line that names each of these settings that is set under its old name."""
    if clauses := old_names_set(fields):
        log.warning("settings had old names", variables=clauses)


def _clause(old: str, found: Mapping[str, str]) -> str:
    new = PREFIX + old
    if found.get(new, found[old]) == found[old]:
        return f"{old} is now {new}"
    return f"{old} is now {new}, which is set to something else and counts"


def _upper(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings are read whatever the case of a variable's name."""
    return {name.upper(): value for name, value in environment.items()}
