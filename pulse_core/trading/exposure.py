"""Where an order's quantity is: filled, working, on its way, unknown or unsent."""

from collections.abc import Iterable
from dataclasses import dataclass

from api_contract.vocabulary import SliceStatus


@dataclass(frozen=True)
class StatusTotals:
    """The slices of one order that have one status, and their shares: filled, and still lacking."""

    status: SliceStatus
    slices: int
    filled: int
    leaves: int


@dataclass(frozen=True)
class Exposure:
    """Shares. Together never more than the order's total quantity; less when slices ended unfilled."""

    filled: int = 0
    working: int = 0
    on_its_way: int = 0
    unknown: int = 0
    unsent: int = 0

    @property
    def total(self) -> int:
        return self.filled + self.working + self.on_its_way + self.unknown + self.unsent


def exposure(tallies: Iterable[StatusTotals]) -> Exposure:
    """What the slices say, each share counted in one place only."""
    filled = working = on_its_way = unknown = unsent = 0
    for one in tallies:
        filled += one.filled
        if one.status is SliceStatus.WORKING:
            working += one.leaves
        elif one.status is SliceStatus.SENDING:
            on_its_way += one.leaves
        elif one.status is SliceStatus.UNKNOWN:
            unknown += one.leaves
        elif one.status is SliceStatus.SCHEDULED:
            unsent += one.leaves
    return Exposure(filled, working, on_its_way, unknown, unsent)


def leaves_quantity(total: int, filled: int, is_final: bool) -> int:
    return 0 if is_final else max(total - filled, 0)
