"""Cut an order into slices: how much and when, from the order and its seed alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

QUANTITY_SPREAD = (4, 6, 5)  # from 4/5 to 6/5 of the average: 20 % either way
TIME_JITTER = 0.3


@dataclass(frozen=True)
class PlannedSlice:
    """`sequence_number` counts from 1, `quantity` is in shares, `scheduled_at` in UTC."""

    sequence_number: int
    quantity: int
    scheduled_at: datetime


@dataclass(frozen=True)
class Sizes:
    """What every slice keeps: whole lots, and `most` units; None: as much as anybody wants."""

    lot_size: int = 1
    most: int | None = None

    @property
    def most_lots(self) -> int | None:
        return None if self.most is None else self.most // self.lot_size


ANY_SIZE = Sizes()


def plan(
    total_quantity: int,
    num_splits: int,
    start_at: datetime,
    duration: timedelta,
    seed: int | None = None,
    sizes: Sizes = ANY_SIZE,
) -> list[PlannedSlice]:
    """The schedule of an order: even without a seed, randomised but reproducible with one.

    The quantities add up to `total_quantity` exactly; the first slice is at `start_at`, the last at the end of the
    window. Raises ValueError when there are fewer shares, or lots, than slices, or more than they may have.
    """
    lots = _lots(total_quantity, num_splits, sizes)
    # Only Random.random() is promised to give the same numbers in every version of Python.
    random = Random(seed) if seed is not None else None  # noqa: S311
    quantities = _random(lots, num_splits, random, sizes.most_lots) if random else _even(lots, num_splits)
    offsets = _offsets(num_splits, duration, random)
    return [
        PlannedSlice(number, quantity * sizes.lot_size, start_at + offset)
        for number, (quantity, offset) in enumerate(zip(quantities, offsets, strict=True), start=1)
    ]


def quantity_bounds(shares: int, num_splits: int) -> tuple[int, int]:
    """The least and the most shares of a randomised slice: 20 % around the average as far as whole shares allow."""
    low, high, base = QUANTITY_SPREAD
    least = min(-(-low * shares // (base * num_splits)), shares // num_splits)
    most = max(high * shares // (base * num_splits), -(-shares // num_splits))
    return max(least, 1), most


def _lots(total_quantity: int, num_splits: int, sizes: Sizes) -> int:
    lots, odd = divmod(total_quantity, sizes.lot_size)
    if odd:
        raise ValueError(f"{total_quantity} shares are not whole lots of {sizes.lot_size}")
    if lots < num_splits:
        few = f"{total_quantity} shares" if sizes.lot_size == 1 else f"{lots} lots of {sizes.lot_size}"
        raise ValueError(f"{few} are too few for {num_splits} slices")
    if sizes.most_lots is not None and lots > sizes.most_lots * num_splits:
        raise ValueError(f"{total_quantity} shares are too many for {num_splits} slices of {sizes.most} at most")
    return lots


def _even(shares: int, num_splits: int) -> list[int]:
    quantity, larger = divmod(shares, num_splits)
    return [quantity + (index < larger) for index in range(num_splits)]


def _random(shares: int, num_splits: int, random: Random, cap: int | None) -> list[int]:
    least, most = quantity_bounds(shares, num_splits)
    most = most if cap is None else min(most, cap)
    drawn = [least + int(random.random() * (most - least + 1)) for _ in range(num_splits)]
    missing = shares - sum(drawn)
    if missing >= 0:
        room = [most - quantity for quantity in drawn]
        return [quantity + share for quantity, share in zip(drawn, _shares(missing, room), strict=True)]
    room = [quantity - least for quantity in drawn]
    return [quantity - share for quantity, share in zip(drawn, _shares(-missing, room), strict=True)]


def _shares(amount: int, room: list[int]) -> list[int]:
    """Spread `amount` over the places in proportion to their room, never beyond it."""
    shares: list[int] = []
    room_left = sum(room)
    for place in room:
        share = -(-amount * place // room_left) if room_left else 0
        shares.append(share)
        amount -= share
        room_left -= place
    return shares


def _offsets(num_splits: int, duration: timedelta, random: Random | None) -> list[timedelta]:
    last = num_splits - 1
    offsets = [duration * index / last for index in range(num_splits)]
    if random is None:
        return offsets
    reach = duration / last * TIME_JITTER
    inner = [offset + reach * (2 * random.random() - 1) for offset in offsets[1:-1]]
    return [offsets[0], *inner, offsets[-1]]
