"""Say how the orders of an account catch up that do not say so; written down with what held before."""

from dataclasses import asdict, dataclass
from datetime import datetime

from api_contract.errors import NotFound
from api_contract.policy_rules import CatchUpPolicy, check_policy
from pulse_core import db
from pulse_core.identity.store import accounts, audit
from pulse_core.policies import in_force
from pulse_core.policies.store import policies as store


@dataclass(frozen=True)
class AccountPolicy:
    """What was set for an account, and what holds for it."""

    account_id: str
    own: CatchUpPolicy
    in_force: CatchUpPolicy


def policy_of(account_id: str) -> AccountPolicy:
    """How the orders of an account catch up that do not say so. Raises NotFound."""
    with db.transaction() as session:
        if accounts.get(session, account_id) is None:
            raise NotFound("there is no such account")
        own = store.of_account(session, account_id)
    return AccountPolicy(account_id, own, in_force.merged(own))


def set_policy(account_id: str, policy: CatchUpPolicy, actor: str, now: datetime) -> AccountPolicy:
    """Set all of it in place of what held before; None: what holds for all. Orders that were accepted keep theirs.

    Repeating it is harmless. Raises InvalidRequest, NotFound.
    """
    check_policy(policy)
    with db.transaction() as session:
        if accounts.lock(session, account_id) is None:
            raise NotFound("there is no such account")
        before = store.of_account(session, account_id)
        if before != policy:
            store.put(session, account_id, policy, actor, now)
            audit.add(session, "account.policy_changed", actor, account_id, now, **_changes(before, policy))
    in_force.forget()
    return AccountPolicy(account_id, policy, in_force.merged(policy))


def _changes(before: CatchUpPolicy, after: CatchUpPolicy) -> dict[str, str]:
    old, new = asdict(before), asdict(after)
    return {name: f"{old[name]} -> {new[name]}" for name in new if old[name] != new[name]}
