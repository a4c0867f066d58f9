"""Do the same for many rows, so that one bad row holds up none of the others."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from api_contract.log import get_logger
from pulse_core.brokers.port import BookUnavailable
from pulse_core.errors import DatabaseUnavailable, RowsLocked

log = get_logger(__name__)

T = TypeVar("T")

# Each has waited for its time, and all of them together must not hold up a sweep for long.
MOST_LOCKED = 5


def for_each(items: Iterable[T], deed: Callable[[T], object]) -> None:
    """Call `deed` for every item, then raise the first error there was.

    Raises DatabaseUnavailable and BookUnavailable at once: the others would fare no better. Rows that somebody else
    has locked are left out, a few times.
    """
    failed: Exception | None = None
    locked = 0
    for item in items:
        try:
            deed(item)
        except RowsLocked as error:
            locked += 1
            if locked == MOST_LOCKED:
                raise
            failed = failed or error
        except (DatabaseUnavailable, BookUnavailable):
            raise
        except Exception as error:
            log.exception("row left out", deed=getattr(deed, "__name__", "deed"), item=str(item)[:100])
            failed = failed or error
    if failed is not None:
        raise failed


def for_each_batch(batches: Iterable[Sequence[T]], deed: Callable[[Sequence[T]], object]) -> None:
    """Call `deed` for every batch; one that fails is done again item by item. Raises as `for_each`."""

    def attempt(batch: Sequence[T]) -> None:
        try:
            deed(batch)
        except Exception as error:
            is_away = isinstance(error, DatabaseUnavailable | BookUnavailable) and not isinstance(error, RowsLocked)
            if is_away or len(batch) == 1:
                raise
            log.warning("batch done one by one", size=len(batch), reason=type(error).__name__)
            for_each([[item] for item in batch], deed)

    for_each(batches, attempt)
