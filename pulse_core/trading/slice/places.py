"""How many slices of batches may be on their way for an account: nothing is claimed that would wait for a thread."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition
from typing import Any


class Places:
    """So many, for all batches."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = Condition()

    @contextmanager
    def reserved(self, count: int) -> Iterator["Reserved"]:
        """Wait until so many are free, all at once, and keep them for one batch."""
        wanted = min(count, self._count)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        mine = Reserved(self, wanted)
        try:
            yield mine
        finally:
            self.give_back(mine.left)

    def give_back(self, count: int) -> None:
        if count:
            with self._changed:
                self._free += count
                self._changed.notify_all()


class Reserved:
    """The places of a batch. Each of its slices gives its own back when it has come out: one that hangs keeps one."""

    def __init__(self, places: Places, count: int) -> None:
        self._places = places
        self.left = count

    def hand_to(self, sending: Future[Any]) -> None:
        """Let the sending of a slice have one, until it is over."""
        if self.left:
            self.left -= 1
            sending.add_done_callback(lambda _sent: self._places.give_back(1))
