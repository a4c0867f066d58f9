"""Requests of one kind hold up none of another: each kind has places of its own, and is refused where they are taken.

A server has so many threads. Were they there for anybody, requests that hang would take them all. So no kind of request
may have more of them than its places, for those that are worked and those that wait, and the server has more threads
than there are places: for what must always work one is free, whatever else hangs.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from api_contract.errors import PulseError, RateLimited, ServiceUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RETRY_SECONDS = 1
# For so long one who has asked counts as somebody else who asks.
ASKS_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 0.5
_PLACE, _REFUSED = "pulse.place", "pulse.refused"


@dataclass(frozen=True)
class Size:
    """How many requests of a kind are worked at once, and how many more may wait, each for `patience_seconds` at most.

    `for_one`: how many of both may be of one account or network, `worked_for_one` how many of the first, and
    `worked_beside_others` how many of them while others ask too; None: as many as there are. Whoever sends without a
    pause waits for places then, which costs nobody anything. `rest_seconds`: so long a place rests once it was used.
    """

    worked: int
    waiting: int
    patience_seconds: float = 1.0
    for_one: int | None = None
    worked_for_one: int | None = None
    worked_beside_others: int | None = None
    rest_seconds: float = 0.0

    @property
    def places(self) -> int:
        return self.worked + self.waiting


# The kind of a request, None for one that is answered at once and needs no place.
KindOf = Callable[["WSGIEnvironment"], str | None]
# Whose request it is, given its kind; None where that does not matter.
AskerOf = Callable[["WSGIEnvironment", str], str | None]


class Askers:
    """Who has asked lately, whatever it was: as much of it as tells somebody whether there are others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._latest: str | None = None
        self._latest_at = self._another_at = float("-inf")

    def note(self, asker: str | None) -> None:
        if asker is None:
            return
        with self._lock:
            if asker != self._latest:
                self._latest, self._another_at = asker, self._latest_at
            self._latest_at = self._clock()

    def are_beside(self, asker: str | None) -> bool:
        """Whether anybody but this one has asked lately."""
        with self._lock:
            at = self._another_at if asker == self._latest else self._latest_at
            return self._clock() - at < ASKS_SECONDS


@dataclass(eq=False)
class _Waiting:
    asker: str | None
    is_let_in: Event = field(default_factory=Event)


class Bulkhead:
    """The places of one kind. Who waits is let in by turns, but for those who have their share already."""

    def __init__(self, kind: str, size: Size, askers: Askers | None = None) -> None:
        self.kind = kind
        self._size = size
        self._askers = askers or Askers()
        self._taken: Counter[str | None] = Counter()
        self._worked: Counter[str | None] = Counter()
        self._waiting: list[_Waiting] = []
        self._lock = Lock()

    def enter(self, asker: str | None) -> None:
        """Return when the request may be worked. Raises ServiceUnavailable, or RateLimited for one who has too many."""
        self._askers.note(asker)
        with self._lock:
            if self._reaches(self._taken[asker], self._size.for_one, asker):
                raise self._are_too_many(self._size.for_one)
            if self._taken.total() >= self._size.places:
                raise self._is_full()
            self._taken[asker] += 1
            if self._may_be_worked(asker):
                self._worked[asker] += 1
                return
            waiting = _Waiting(asker)
            self._waiting.append(waiting)
        if not waiting.is_let_in.wait(self._size.patience_seconds):
            self._give_up(waiting)

    def leave(self, asker: str | None, seconds: float = 0.0) -> None:
        """Give the place back; the request was worked for so long."""
        if pause := self._pause(asker, seconds):
            time.sleep(pause)
        with self._lock:
            self._taken -= Counter([asker])
            self._worked -= Counter([asker])
            self._let_in()

    def _pause(self, asker: str | None, seconds: float) -> float:
        """How long the place rests: for one who has more waiting while others ask, as long as it was used."""
        if self._size.worked_beside_others is None or self._taken[asker] <= self._worked[asker]:
            return self._size.rest_seconds
        return min(seconds, _LONGEST_PAUSE_SECONDS) if self._askers.are_beside(asker) else self._size.rest_seconds

    def _let_in(self) -> None:
        for waiting in tuple(self._waiting):
            if self._may_be_worked(waiting.asker):
                self._worked[waiting.asker] += 1
                self._waiting.remove(waiting)
                waiting.is_let_in.set()

    def _give_up(self, waiting: _Waiting) -> None:
        with self._lock:
            # By now it may have been let in.
            if waiting.is_let_in.is_set():
                return
            self._waiting.remove(waiting)
            self._taken -= Counter([waiting.asker])
            if self._has_its_share(waiting.asker):
                raise self._are_too_many(self._share_of(waiting.asker))
            raise self._is_full()

    def _may_be_worked(self, asker: str | None) -> bool:
        return self._worked.total() < self._size.worked and not self._has_its_share(asker)

    def _has_its_share(self, asker: str | None) -> bool:
        return self._reaches(self._worked[asker], self._share_of(asker), asker)

    def _share_of(self, asker: str | None) -> int | None:
        if self._size.worked_beside_others is not None and self._askers.are_beside(asker):
            return self._size.worked_beside_others
        return self._size.worked_for_one

    def _reaches(self, count: int, most: int | None, asker: str | None) -> bool:
        return asker is not None and most is not None and count >= most

    def _are_too_many(self, most: int | None) -> RateLimited:
        return RateLimited(f"too many {self.kind} of yours at once", RETRY_SECONDS, {"limit": most})

    def _is_full(self) -> ServiceUnavailable:
        details = {"busy": self.kind, "retry_after_seconds": RETRY_SECONDS}
        return ServiceUnavailable(f"too many {self.kind} at once: nothing was done, try again", details)


class Place:
    """The place of one request, given back at its end."""

    def __init__(self, bulkhead: Bulkhead, asker: str | None) -> None:
        self._bulkhead = bulkhead
        self._asker = asker
        self._held_since: float | None = None

    def take(self) -> None:
        self._bulkhead.enter(self._asker)
        self._held_since = time.monotonic()

    @property
    def kind(self) -> str:
        return self._bulkhead.kind

    def move(self, bulkhead: Bulkhead) -> None:
        """Give it back for one of another kind."""
        self.give_back()
        self._bulkhead = bulkhead
        self.take()

    def give_back(self) -> None:
        if self._held_since is not None:
            seconds, self._held_since = time.monotonic() - self._held_since, None
            self._bulkhead.leave(self._asker, seconds)


class Bulkheads:
    """Lets a request in where its kind has a place; one whose answer has begun, as a stream's has, needs none more.

    One that finds no place goes in all the same, and is refused at its first step: see `refuse_without_place`.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        kind_of: KindOf,
        sizes: Mapping[str, Size],
        asker_of: AskerOf = lambda _environ, _kind: None,
    ) -> None:
        self._app = app
        self._kind_of = kind_of
        self._asker_of = asker_of
        askers = Askers()
        self._bulkheads = {kind: Bulkhead(kind, size, askers) for kind, size in sizes.items()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        kind = self._kind_of(environ)
        if kind is None:
            return self._app(environ, start_response)
        place = environ[_PLACE] = Place(self._bulkheads[kind], self._asker_of(environ, kind))
        try:
            place.take()
        except PulseError as refused:
            environ[_REFUSED] = refused
        try:
            return self._app(environ, start_response)
        finally:
            place.give_back()

    def move(self, kind_among: Callable[[str], str]) -> None:
        """Have the request of this thread take a place of the kind that it turns out to be. Raises as `enter` does."""
        place: Place | None = request.environ.get(_PLACE)
        if place is not None and (kind := kind_among(place.kind)) != place.kind:
            place.move(self._bulkheads[kind])


def refuse_without_place() -> None:
    """For `before_request`: raise what a request that found no place is refused with."""
    if refused := request.environ.get(_REFUSED):
        raise refused


@contextmanager
def place_left() -> Iterator[None]:
    """For a request that waits for its client: let another one in meanwhile. Raises ServiceUnavailable afterwards."""
    place: Place | None = request.environ.get(_PLACE)
    if place is None:
        yield
        return
    place.give_back()
    yield
    place.take()


def kinds_by_endpoint(app: Flask, kinds: Mapping[str, str | None], otherwise: str, unknown: str) -> KindOf:
    """The kind of a request by the view that it is for, that of all other views, and that of what is for none."""
    adapter = app.url_map.bind("")

    def kind_of(environ: "WSGIEnvironment") -> str | None:
        try:
            endpoint, _arguments = adapter.match(environ["PATH_INFO"], environ["REQUEST_METHOD"])
        except HTTPException:
            return unknown
        return kinds.get(endpoint, otherwise)

    return kind_of
