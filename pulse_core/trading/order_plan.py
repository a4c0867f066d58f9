"""What an order was planned with, where its units are, and by which policy it catches up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api_contract.vocabulary import AtEnd, CatchUp, Leftover
from pulse_core.trading.schedule import ANY_SIZE, Sizes, quantity_bounds
from pulse_core.trading.trading_time import TradingTime

# A plan with a seed may itself have two slices in an interval.
MOST_PLANNED_AT_RANDOM = 2


@dataclass(frozen=True)
class Policy:
    """How an order catches up. No slice, and no interval, gets more than `max_slice_multiple` times the plan's."""

    catch_up: CatchUp = CatchUp.SPREAD
    max_slice_multiple: int = 3
    extend_minutes: int = 0
    leftover: Leftover = Leftover.CATCH_UP
    at_end: AtEnd = AtEnd.LEAVE


@dataclass(frozen=True)
class Plan:
    """What an order was planned with, quantities in units.

    `end_at` is the end of its window; `time` is when slices may go out, up to the end of the window's extension.
    """

    total_quantity: int
    num_splits: int
    start_at: datetime
    end_at: datetime
    time: TradingTime
    sizes: Sizes = ANY_SIZE
    is_randomized: bool = False

    @property
    def interval(self) -> timedelta:
        """Between two slices, in time that runs while orders are taken."""
        return self.time.passed(self.end_at) / (self.num_splits - 1)

    @property
    def most_of_slice(self) -> int:
        """The most units that a slice of the plan may have."""
        lots = -(-self.total_quantity // self.sizes.lot_size)
        most = quantity_bounds(lots, self.num_splits)[1] if self.is_randomized else -(-lots // self.num_splits)
        return most * self.sizes.lot_size

    def slice_cap(self, policy: Policy) -> int:
        """The most units that a slice may have, in whole lots."""
        cap = self.most_of_slice * policy.max_slice_multiple
        most = cap if self.sizes.most is None else min(cap, self.sizes.most)
        return most // self.sizes.lot_size * self.sizes.lot_size

    def interval_cap(self, policy: Policy) -> int:
        """The most units that may go out in any stretch of one interval."""
        least = MOST_PLANNED_AT_RANDOM if self.is_randomized else 1
        return self.most_of_slice * max(policy.max_slice_multiple, least)


@dataclass(frozen=True)
class Unsent:
    """A slice that is not at the broker, and the units it lacks; the quantity of one that `was_claimed` stays."""

    sequence_number: int
    quantity: int
    due_at: datetime
    was_claimed: bool = False


@dataclass(frozen=True)
class Sent:
    """What was claimed of an order, filled or not, and when."""

    quantity: int
    at: datetime


@dataclass(frozen=True)
class History:
    """Where the units of an order are. `working` includes what is on its way.

    `ended_rest` is what slices left unfilled that have ended for certain, and that nothing has taken up since. `sent`
    is what was claimed within the last interval; more of it does no harm. New slices are numbered from `next_number`.
    `has_last_slice`: the slice at market at the end of the window was made before.
    """

    filled: int = 0
    working: int = 0
    unknown: int = 0
    unsent: Sequence[Unsent] = ()
    ended_rest: int = 0
    sent: Sequence[Sent] = ()
    next_number: int = 1
    has_last_slice: bool = False
