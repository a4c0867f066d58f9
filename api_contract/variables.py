"""Names of environment variables: ours begin with `PULSE_`, those of others keep theirs.

Some of ours had no prefix before, and the queue was named after Redis. An old name is read where the new one is not
set, and is warned about.
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
QUEUE_URL = "PULSE_QUEUE_URL"
# Every old name, with the new one.
RENAMED = {**{name: PREFIX + name for name in OLD_NAMES}, "REDIS_URL": QUEUE_URL}
_OLD_NAME_OF = {new: old for old, new in RENAMED.items()}
_OF_OTHERS = ("DATABASE_URL", "KITE_", "ALPACA_")

log = get_logger(__name__)


def names_of(field: str) -> list[str]:
    """The variables that a setting is read from; the first that is set counts."""
    name = field.upper()
    if not name.startswith((PREFIX, *_OF_OTHERS)):
        name = RENAMED.get(name, PREFIX + name)
    return [name, _OLD_NAME_OF[name]] if name in _OLD_NAME_OF else [name]


def aliases_of(field: str) -> AliasChoices:
    return AliasChoices(*names_of(field))


# For the `alias_generator` of settings.
NAMES = AliasGenerator(validation_alias=aliases_of)


def as_set(field: str) -> str:
    """The name under which a setting is set, given its field or its variable: the old one where only that is."""
    variable, *old = names_of(field)
    found = upper(os.environ)
    return old[0] if old and old[0] in found and variable not in found else variable


def value_of(variable: str, default: str) -> str:
    """What a variable is set to, under its new or its old name."""
    return upper(os.environ).get(as_set(variable), default)


def queue_url_in(environment: Mapping[str, str]) -> str:
    """Where the queue is, by the variables of a process or a stack. Raises KeyError."""
    return environment.get(QUEUE_URL) or environment["REDIS_URL"]


def with_new_names(environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment without old names. Where both were set, the new one has counted."""
    found = {name: value for name, value in environment.items() if name.upper() not in RENAMED}
    for name, value in environment.items():
        if name.upper() in RENAMED:
            found.setdefault(RENAMED[name.upper()], value)
    return found


def old_names_set(fields: Iterable[str] = RENAMED) -> list[str]:
    """A clause for each of these settings that is set under its old name, without its value."""
    found = upper(os.environ)
    old = sorted({name for field in fields for name in names_of(field)[1:]} & found.keys())
    return [_clause(name, found) for name in old]


def warn_of_old_names(fields: Iterable[str]) -> None:
    """Log one line that names each of these settings that is set under its old name."""
    if clauses := old_names_set(fields):
        log.warning("settings had old names", variables=clauses)


def _clause(old: str, found: Mapping[str, str]) -> str:
    new = RENAMED[old]
    if found.get(new, found[old]) == found[old]:
        return f"{old} is now {new}"
    return f"{old} is now {new}, which is set to something else and counts"


def upper(environment: Mapping[str, str]) -> dict[str, str]:
    """Settings are read whatever the case of a variable's name."""
    return {name.upper(): value for name, value in environment.items()}
