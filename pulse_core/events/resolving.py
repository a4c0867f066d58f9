"""Hosts' names are looked up on threads of their own: the system's resolver takes no deadline and cannot be stopped."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Condition, Thread

from pulse_core.events.outbound_rules import NOT_PUBLIC, Unreachable

NOT_IN_TIME = "the name of the host was not resolved in time"
LOOK_UP_SECONDS = 2.0

LookUp = Callable[[str], Sequence[str]]


def look_up(host: str) -> Sequence[str]:
    """The addresses of a name as the system knows them, for as long as that takes. Raises OSError, UnicodeError."""
    return [str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class Resolver:
    """Looks names up, so many at once, and for each account so many: one with slow name servers holds up no other.

    A look-up that nobody waits for any more counts until the system gives it up.
    """

    def __init__(self, most: int, most_of_account: int, ask: LookUp | None = None) -> None:
        self._most = most
        self._most_of_account = most_of_account
        self._ask = ask
        self._under_way: Counter[str] = Counter()
        self._is_free = Condition()

    def addresses(self, host: str, account_id: str, seconds: float = LOOK_UP_SECONDS) -> Sequence[str]:
        """The addresses of a host. Raises Unreachable when it has none, or none was named in time."""
        ends_at = time.monotonic() + seconds
        if not self._take_place(account_id, ends_at):
            raise Unreachable(NOT_IN_TIME)
        answer: SimpleQueue[Sequence[str]] = SimpleQueue()
        Thread(target=self._run, args=(host, account_id, answer), name="look-up", daemon=True).start()
        try:
            found = answer.get(timeout=max(ends_at - time.monotonic(), 0.001))
        except Empty:
            raise Unreachable(NOT_IN_TIME) from None
        if not found:
            raise Unreachable(NOT_PUBLIC)
        return found

    def under_way(self) -> int:
        """How many look-ups there are at this moment."""
        with self._is_free:
            return self._under_way.total()

    def _take_place(self, account_id: str, ends_at: float) -> bool:
        with self._is_free:
            if not self._is_free.wait_for(lambda: self._has_place(account_id), max(ends_at - time.monotonic(), 0)):
                return False
            self._under_way[account_id] += 1
            return True

    def _has_place(self, account_id: str) -> bool:
        return self._under_way.total() < self._most and self._under_way[account_id] < self._most_of_account

    def _run(self, host: str, account_id: str, answer: SimpleQueue[Sequence[str]]) -> None:
        found: Sequence[str] = ()
        try:
            found = (self._ask or look_up)(host)
        except (OSError, UnicodeError):
            found = ()
        finally:
            with self._is_free:
                self._under_way[account_id] -= 1
                self._is_free.notify_all()
            answer.put(found)
