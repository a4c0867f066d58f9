"""Requests of one kind hold up none of another: each kind has places of its own, and is refused where they are taken.

A server has so many threads. Were they there for anybody, requests that hang would take them all. So no kind of request
may have more of them than its places, for those that are worked and those that wait, and the server has more threads
than there are places: for what must always work one is free, whatever else hangs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import HTTPException

from api_contract.errors import PulseError, RateLimited, ServiceUnavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RETRY_SECONDS = 1
_PLACE, _REFUSED = "pulse.place", "pulse.refused"


@dataclass(frozen=True)
class Size:
    """How many requests of a kind are worked at once, and how many more may wait, each for `patience_seconds` at most.

    `for_one`: how many of both may be of one account or network, `worked_for_one` how many of the first; None: as many
    as there are. Whoever sends without a pause waits for places then, which costs nobody anything.
    """

    worked: int
    waiting: int
    patience_seconds: float = 1.0
    for_one: int | None = None
    worked_for_one: int | None = None

    @property
    def places(self) -> int:
        return self.worked + self.waiting


# The kind of a request, None for one that is answered at once and needs no place.
KindOf = Callable[["WSGIEnvironment"], str | None]
# Whose request it is, given its kind; None where that does not matter.
AskerOf = Callable[["WSGIEnvironment", str], str | None]


class Bulkhead:
    """The places of one kind."""

    def __init__(self, kind: str, size: Size) -> None:
        self._kind = kind
        self._size = size
        self._taken: Counter[str | None] = Counter()
        self._worked: Counter[str | None] = Counter()
        self._changed = Condition()

    def enter(self, asker: str | None) -> None:
        """Return when the request may be worked. Raises ServiceUnavailable, or RateLimited for one who has too many."""
        with self._changed:
            if self._reaches(self._taken[asker], self._size.for_one, asker):
                raise self._are_too_many(self._size.for_one)
            if self._taken.total() >= self._size.places:
                raise self._is_full()
            self._taken[asker] += 1
            if not self._changed.wait_for(lambda: self._may_be_worked(asker), self._size.patience_seconds):
                self._taken -= Counter([asker])
                if self._has_its_share(asker):
                    raise self._are_too_many(self._size.worked_for_one)
                raise self._is_full()
            self._worked[asker] += 1

    def leave(self, asker: str | None) -> None:
        with self._changed:
            self._taken -= Counter([asker])
            self._worked -= Counter([asker])
            self._changed.notify_all()

    def _may_be_worked(self, asker: str | None) -> bool:
        return self._worked.total() < self._size.worked and not self._has_its_share(asker)

    def _has_its_share(self, asker: str | None) -> bool:
        return self._reaches(self._worked[asker], self._size.worked_for_one, asker)

    def _reaches(self, count: int, most: int | None, asker: str | None) -> bool:
        return asker is not None and most is not None and count >= most

    def _are_too_many(self, most: int | None) -> RateLimited:
        return RateLimited(f"too many {self._kind} of yours at once", RETRY_SECONDS, {"limit": most})

    def _is_full(self) -> ServiceUnavailable:
        details = {"busy": self._kind, "retry_after_seconds": RETRY_SECONDS}
        return ServiceUnavailable(f"too many {self._kind} at once: nothing was done, try again", details)


class Place:
    """The place of one request, given back at its end."""

    def __init__(self, bulkhead: Bulkhead, asker: str | None) -> None:
        self._bulkhead = bulkhead
        self._asker = asker
        self._is_held = False

    def take(self) -> None:
        self._bulkhead.enter(self._asker)
        self._is_held = True

    def give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._bulkhead.leave(self._asker)


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
        self._bulkheads = {kind: Bulkhead(kind, size) for kind, size in sizes.items()}

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
