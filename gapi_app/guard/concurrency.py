"""How many requests are worked at once, each kind for itself.

The server has a thread for each open stream. Without this, all of those threads would also take requests in a rush,
and each would be answered later than if some had waited; and where pulse is slow, nobody could cancel any more.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING

from flask import Flask

from api_contract.bulkheads import AskerOf, Bulkheads, KindOf, Size, kinds_by_endpoint

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Kind(StrEnum):
    """Requests that share places, as they are named to who is refused."""

    VITAL = "cancels, pauses and logouts"
    ORDERS = "new orders"
    PREVIEWS = "previews"
    LOGINS = "logins"
    KNOWN_LOGINS = "logins from networks that are known"
    POSTBACKS = "postbacks"
    OTHER = "requests"
    UNKNOWN = "requests for what there is not"


# What stops something, and what ends a right.
_VITAL = (
    *("orders.cancel_order", "orders_by_key.cancel_order_by_key", "orders_by_key.cancel_order_by_query"),
    *("control.amend_order", "control.pause_order", "control.resume_order"),
    *("halts.halt_trading", "halts.release_halt"),
    *("login.log_out", "web_session.log_out", "login.log_out_everywhere", "keys.revoke_key"),
    *("admin.revoke_any_key", "admin.change_user", "admin.log_user_out", "internal.revoke"),
)
# What looks at a password.
_LOGINS = (
    *("login.log_in", "web_session.log_in", "login.change_password", "second_factor.enrol"),
    *("second_factor.renew_recovery_codes", "second_factor.disable_second_factor"),
)
KINDS: Mapping[str, Kind | None] = {
    **dict.fromkeys(_VITAL, Kind.VITAL),
    **dict.fromkeys(_LOGINS, Kind.LOGINS),
    "orders.place_order": Kind.ORDERS,
    "previews.preview_order": Kind.PREVIEWS,
    "postbacks.take_zerodha_postback": Kind.POSTBACKS,
    # They ask nobody.
    "health.health": None,
    "jwks.public_keys": None,
    "web.page": None,
    "web.file": None,
}
# For these there is no cell, or it is not known.
_OF_NO_CELL = (Kind.POSTBACKS, Kind.UNKNOWN)
# Of the logins that are under way, so many may come from one network.
LOGINS_FOR_ONE = 4
# Who sends a few at once has them worked one after the other.
_PATIENCE_SECONDS = 3.0
_OF_LOGINS = Size(worked=8, waiting=8, for_one=LOGINS_FOR_ONE)


def sizes(for_one: int, beside_others: int = 1) -> Mapping[str, Size]:
    """The places of each kind, of which an account may have `for_one`; `beside_others` are worked while others ask."""
    by_turns = partial(_by_turns, for_one, beside_others)
    return {
        Kind.VITAL: Size(worked=8, waiting=24, for_one=for_one, worked_for_one=_share(8, for_one)),
        Kind.ORDERS: by_turns(16, 32),
        # They may wait for a broker.
        Kind.PREVIEWS: by_turns(2, 6),
        Kind.LOGINS: _OF_LOGINS,
        Kind.KNOWN_LOGINS: _OF_LOGINS,
        # The broker posts from few addresses.
        Kind.POSTBACKS: Size(worked=2, waiting=14),
        # Nobody who means well asks for many of these.
        Kind.UNKNOWN: Size(worked=1, waiting=15, rest_seconds=0.01),
        Kind.OTHER: by_turns(12, 28),
    }


def in_every_cell(of_one: Mapping[str, Size], tags: Iterable[str | None]) -> Mapping[str, Size]:
    """The places of all cells: a cell that hangs takes none from another."""
    kinds = [kind for kind in of_one if kind not in _OF_NO_CELL]
    return {**of_one, **{in_cell(kind, tag): of_one[kind] for tag in tags for kind in kinds}}


def in_cell(kind: str, tag: str | None) -> str:
    """The kind of a request as that of one cell."""
    return kind if tag is None else f"{kind} of the cell {tag}"


def _by_turns(for_one: int, beside_others: int, worked: int, waiting: int) -> Size:
    """An account that sends many at once leaves most of the machine to others, as soon as there are any."""
    share = _share(worked, for_one)
    return Size(worked, waiting, _PATIENCE_SECONDS, for_one, share, min(beside_others, share))


def _share(worked: int, for_one: int) -> int:
    """Of those that are worked, so many are one account's: a quarter of what it may have under way."""
    return min(max(for_one // 4, 1), worked)


class Concurrency(Bulkheads):
    """Lets so many requests of each kind in at a time, and knows how long the oldest of all has been waiting."""

    def __init__(self, app: "WSGIApplication", kind_of: KindOf, sizes: Mapping[str, Size], asker_of: AskerOf) -> None:
        super().__init__(app, kind_of, sizes, asker_of)
        self._came_at: dict[int, float] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        thread = get_ident()
        self._came_at[thread] = time.monotonic()
        try:
            return super().__call__(environ, start_response)
        finally:
            del self._came_at[thread]

    def stop_clock(self) -> None:
        """This request waits for its client now, not for us."""
        self._came_at[get_ident()] = float("inf")

    def start_clock(self) -> None:
        """It waits for us, as if it had just come."""
        self._came_at[get_ident()] = time.monotonic()

    def longest_wait(self) -> float:
        """For how many seconds the oldest request has waited for us, not for its client, to be answered."""
        return max(0.0, time.monotonic() - min(list(self._came_at.values()), default=float("inf")))


def limit_concurrency(
    app: Flask,
    asker_of: AskerOf,
    sizes: Mapping[str, Size],
    is_known: "Callable[[WSGIEnvironment], bool]",
    tag_of: "Callable[[WSGIEnvironment], str | None]",
) -> Concurrency:
    """Give each kind of request its places, in each cell, and logins from where somebody is known places of their own.

    `tag_of` says for which cell a request is, as far as its head shows that.
    """
    by_endpoint = kinds_by_endpoint(app, KINDS, Kind.OTHER, Kind.UNKNOWN)

    def kind_of(environ: "WSGIEnvironment") -> str | None:
        kind = by_endpoint(environ)
        if kind is None or kind in _OF_NO_CELL:
            return kind
        return in_cell(Kind.KNOWN_LOGINS if kind == Kind.LOGINS and is_known(environ) else kind, tag_of(environ))

    gate = Concurrency(app.wsgi_app, kind_of, sizes, asker_of)
    app.wsgi_app = gate  # type: ignore[method-assign]
    return gate
