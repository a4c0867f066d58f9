"""How the orders of an account catch up that do not say so: as it was set for it, else as for all.

Each process reads it at most once a second: a change holds everywhere a second later.
"""

from collections.abc import Mapping
from dataclasses import replace

from api_contract.kept import Kept
from api_contract.policy_rules import FOR_ALL, POLICY, CatchUpPolicy
from pulse_core import db
from pulse_core.policies.store import policies as store


def of(account_id: str) -> CatchUpPolicy:
    """What holds for an account, none of it None. Not inside a transaction. Raises DatabaseUnavailable."""
    own = _kept.get().get(account_id)
    return FOR_ALL if own is None else merged(own)


def merged(own: CatchUpPolicy) -> CatchUpPolicy:
    """What holds: an account's own where it has some, else what holds for all."""
    stated = {name: getattr(own, name) for name in POLICY}
    return replace(FOR_ALL, **{name: value for name, value in stated.items() if value is not None})


def forget() -> None:
    """Read them anew when next asked."""
    _kept.forget()


def _read() -> Mapping[str, CatchUpPolicy]:
    with db.statement() as connection:
        return store.every(connection)


_kept = Kept(_read)
