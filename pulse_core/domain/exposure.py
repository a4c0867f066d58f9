"""Where an order's quantity stands: filled, working, unknown or unsent."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from pulse_core.domain.enums import SliceStatus


class SliceState(Protocol):
    @property
    def status(self) -> SliceStatus: ...
    @property
    def quantity(self) -> int: ...
    @property
    def filled_quantity(self) -> int: ...


@dataclass(frozen=True)
class Exposure:
    """Shares. Together never more than the order's total quantity; less when slices ended unfilled."""

    filled: int = 0
    working: int = 0
    unknown: int = 0
    unsent: int = 0

    @property
    def total(self) -> int:
        return self.filled + self.working + self.unknown + self.unsent


def exposure(slices: Iterable[SliceState]) -> Exposure:
    """What the slices say, each share counted in one place only."""
    filled = working = unknown = unsent = 0
    for one in slices:
        leaves = max(one.quantity - one.filled_quantity, 0)
        filled += one.filled_quantity
        if one.status is SliceStatus.WORKING:
            working += leaves
        elif one.status in (SliceStatus.SENDING, SliceStatus.UNKNOWN):
            unknown += leaves
        elif one.status is SliceStatus.SCHEDULED:
            unsent += leaves
    return Exposure(filled, working, unknown, unsent)


def leaves_quantity(total: int, filled: int, is_final: bool) -> int:
    return 0 if is_final else max(total - filled, 0)
