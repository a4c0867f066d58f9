"""How many calls of each kind are worked at once, each with a thread and a connection to the database."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from flask import Flask

from api_contract.bulkheads import Bulkheads, Size, kinds_by_endpoint, refuse_without_place
from pulse_core.db import MOST_OVERFLOW
from pulse_core.identity.passwords import CHECKED_AT_ONCE


class Kind(StrEnum):
    """Calls that share places, as they are named to who is refused."""

    VITAL = "cancels, pauses and logouts"
    ORDERS = "new orders"
    LOGINS = "logins"
    GATEWAYS = "questions of gateways"
    OTHER = "requests"


# What stops something, what ends a right, and how gateways learn of it.
_VITAL = (
    *("orders.cancel_order", "control.pause_order", "control.resume_order"),
    *("sessions.log_out", "sessions.log_out_everywhere", "keys.revoke_key", "keys.revoke_any_key"),
    *("accounts.change_account", "accounts.log_account_out"),
    *("revocations.list_news", "revocations.revoke", "readiness.show_readiness"),
)
KINDS: Mapping[str, Kind | None] = {
    **dict.fromkeys(_VITAL, Kind.VITAL),
    **dict.fromkeys(("sessions.log_in", "sessions.change_password"), Kind.LOGINS),
    **dict.fromkeys(
        ("keys.name_holder", "events.poll_events", "events.poll_all_events", "alarms.poll_alarms"), Kind.GATEWAYS
    ),
    "orders.place_order": Kind.ORDERS,
    # It asks nobody.
    "health.health": None,
}
SIZES: Mapping[str, Size] = {
    Kind.VITAL: Size(worked=8, waiting=24),
    Kind.ORDERS: Size(worked=12, waiting=36),
    # Each is at its password for tens of milliseconds: whoever comes last waits for a second or two.
    Kind.LOGINS: Size(worked=CHECKED_AT_ONCE, waiting=15, patience_seconds=5),
    Kind.GATEWAYS: Size(worked=4, waiting=28),
    Kind.OTHER: Size(worked=8, waiting=40),
}
# The report of the process, its clock, and what is read for its metrics.
_BESIDE = 4


def give_places(app: Flask, pool_size: int) -> None:
    """Give each kind of call its places, no more of them worked than the pool has connections for."""
    sizes = fitted(SIZES, pool_size + MOST_OVERFLOW - _BESIDE)
    app.wsgi_app = Bulkheads(  # type: ignore[method-assign]
        app.wsgi_app, kinds_by_endpoint(app, KINDS, otherwise=Kind.OTHER, unknown=Kind.OTHER), sizes
    )
    app.before_request(refuse_without_place)


def fitted(sizes: Mapping[str, Size], connections: int) -> Mapping[str, Size]:
    """The same where there are enough connections; fewer worked of each, at least one, where there are not.

    What is vital gives up least: it keeps half of them.
    """
    vital = min(sizes[Kind.VITAL].worked, max(connections // 2, 1))
    others = sum(one.worked for kind, one in sizes.items() if kind != Kind.VITAL)
    share = min(1.0, max(connections - vital, 0) / others)
    return {
        kind: replace(one, worked=vital if kind == Kind.VITAL else max(int(one.worked * share), 1))
        for kind, one in sizes.items()
    }
