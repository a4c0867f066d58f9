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


def plan(
    total_quantity: int,
    num_splits: int,
    start_at: datetime,
    duration: timedelta,
    seed: int | None = None,
) -> list[PlannedSlice]:
    """The schedule of an order: even without a seed, randomised but reproducible with one.

    The quantities add up to `total_quantity` exactly; the first slice is at `start_at`, the last at the end of the
    window. Raises ValueError when there are fewer shares than slices.
    """
    if total_quantity < num_splits:
        raise ValueError(f"{total_quantity} shares are too few for {num_splits} slices")
    # Only Random.random() is promised to give the same numbers in every version of Python.
    random = Random(seed) if seed is not None else None  # noqa: S311
    quantities = _random(total_quantity, num_splits, random) if random else _even(total_quantity, num_splits)
    offsets = _offsets(num_splits, duration, random)
    return [
        PlannedSlice(number, quantity, start_at + offset)
        for number, (quantity, offset) in enumerate(zip(quantities, offsets, strict=True), start=1)
    ]


def quantity_bounds(shares: int, num_splits: int) -> tuple[int, int]:
    """The least and the most shares of a randomised slice: 20 % around the average as far as whole shares allow."""
    low, high, base = QUANTITY_SPREAD
    least = min(-(-low * shares // (base * num_splits)), shares // num_splits)
    most = max(high * shares // (base * num_splits), -(-shares // num_splits))
    return max(least, 1), most


def _even(shares: int, num_splits: int) -> list[int]:
    quantity, larger = divmod(shares, num_splits)
    return [quantity + (index < larger) for index in range(num_splits)]


def _random(shares: int, num_splits: int, random: Random) -> list[int]:
    least, most = quantity_bounds(shares, num_splits)
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
