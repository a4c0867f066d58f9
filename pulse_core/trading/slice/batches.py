"""Slices that are due together go out together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

MOST = 16
# The first of a batch is late by so much at most because of the last.
WITHIN = timedelta(milliseconds=2)


def due_together(items: Iterable[T], due_at: Callable[[T], datetime]) -> Iterator[Sequence[T]]:
    """Batches of up to MOST that are due at the same instant, or nearly; the first and the earliest of all first."""
    batch: list[T] = []
    for one in sorted(items, key=due_at):
        if batch and (len(batch) == MOST or due_at(one) - due_at(batch[0]) > WITHIN):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def any_together(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Batches of up to MOST of what is due already."""
    return (items[start : start + MOST] for start in range(0, len(items), MOST))
