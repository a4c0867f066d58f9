"""How an account's orders catch up where they do not say so. Both services check: neither believes the other."""

from dataclasses import dataclass

from api_contract.order_rules import check_catching_up
from api_contract.vocabulary import AtEnd, CatchUp, Leftover

# The fields of an order that say how it catches up.
POLICY = ("catch_up", "max_slice_multiple", "extend_minutes", "leftover", "at_end")


@dataclass(frozen=True)
class CatchUpPolicy:
    """What holds for orders that state none of it, each None where the installation's does."""

    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None


# What holds for all accounts, as far as they have nothing of their own.
FOR_ALL = CatchUpPolicy(CatchUp.SPREAD, 3, 0, Leftover.CATCH_UP, AtEnd.LEAVE)


def check_policy(policy: CatchUpPolicy) -> None:
    """Raise InvalidRequest for the first number that lies outside what it may be."""
    check_catching_up(policy.max_slice_multiple, policy.extend_minutes)
