"""How an account's orders catch up that do not state it."""

from dataclasses import dataclass

from pulse_client.calls import Calls
from pulse_client.reading import Answer
from pulse_client.vocabulary import AtEnd, CatchUp, Leftover


@dataclass(frozen=True)
class NewCatchUpPolicy:
    """All of it at once. What is None is as for all accounts."""

    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None


class CatchUpPolicy(Answer):
    """What was set for an account, each None where it was not."""

    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None


class PolicyInForce(Answer):
    catch_up: CatchUp
    max_slice_multiple: int
    extend_minutes: int
    leftover: Leftover
    at_end: AtEnd


class AccountPolicy(Answer):
    """What was set for an account itself, and what its orders get that do not state it."""

    account_id: str
    own: CatchUpPolicy
    in_force: PolicyInForce


class Policies(Calls):
    """Every method raises GatewayError."""

    def policy(self) -> AccountPolicy:
        """How the account's orders catch up that do not state it."""
        return self._get(AccountPolicy, "/api/policy")

    def set_policy(self, policy: NewCatchUpPolicy, idempotency_key: str | None = None) -> AccountPolicy:
        """Set all of it in place of what held before; orders that were accepted keep theirs. Repeating is harmless."""
        return self._parse(AccountPolicy, self._change("PUT", "/api/policy", policy, idempotency_key))
