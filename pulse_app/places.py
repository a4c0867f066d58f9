"""How many calls of each kind are worked at once, each with a thread and a connection to the database."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from flask import Flask

from api_contract.bulkheads import Bulkheads, Size, kinds_by_endpoint, refuse_without_place
from pulse_core.db import MOST_OVERFLOW
from pulse_core.identity.login_throttle import LOOKS_AT_ONCE
from pulse_core.identity.passwords import CHECKED_AT_ONCE


class Kind(StrEnum):
    """Calls that share places, as they are named to who is refused."""

    VITAL = "cancels, pauses and logouts"
    ORDERS = "new orders"
    PREVIEWS = "previews"
    LOGINS = "logins"
    GATEWAYS = "questions of gateways"
    OTHER = "requests"


# What stops something, what ends a right, and how gateways learn of it.
_VITAL = (
    *("orders.cancel_order", "orders_by_key.cancel_order_by_query"),
    *("control.amend_order", "control.pause_order", "control.resume_order"),
    *("halts.halt_trading", "halts.release_halt"),
    *("sessions.log_out", "sessions.log_out_everywhere", "keys.revoke_key", "keys.revoke_any_key"),
    *("accounts.change_account", "accounts.log_account_out"),
    *("revocations.list_news", "revocations.revoke", "readiness.show_readiness"),
)
# What looks at a password.
_LOGINS = (
    *("sessions.log_in", "sessions.change_password", "second_factor.enrol"),
    *("second_factor.renew_recovery_codes", "second_factor.disable_second_factor"),
)
_OF_GATEWAYS = (
    *("keys.name_holder", "events.poll_events", "events.poll_all_events", "alarms.poll_alarms"),
    "processes.report_process",
)
KINDS: Mapping[str, Kind | None] = {
    **dict.fromkeys(_VITAL, Kind.VITAL),
    **dict.fromkeys(_LOGINS, Kind.LOGINS),
    **dict.fromkeys(_OF_GATEWAYS, Kind.GATEWAYS),
    "orders.place_order": Kind.ORDERS,
    "previews.preview_order": Kind.PREVIEWS,
    # It asks nobody.
    "health.health": None,
}
SIZES: Mapping[str, Size] = {
    Kind.VITAL: Size(worked=8, waiting=24),
    Kind.ORDERS: Size(worked=12, waiting=36),
    # They may wait for a broker.
    Kind.PREVIEWS: Size(worked=2, waiting=6),
    # All of them but a few wait inside for their turn, where those go first who are known.
    Kind.LOGINS: Size(worked=32, waiting=0),
    Kind.GATEWAYS: Size(worked=4, waiting=28),
    Kind.OTHER: Size(worked=6, waiting=34),
}
# Those that are looked at, and those whose password is checked.
LOGIN_CONNECTIONS = LOOKS_AT_ONCE + CHECKED_AT_ONCE
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
    others = [kind for kind in sizes if kind not in (Kind.VITAL, Kind.LOGINS)]
    left = max(connections - vital - LOGIN_CONNECTIONS, 0)
    share = min(1.0, left / sum(sizes[kind].worked for kind in others))
    fewer = {kind: replace(sizes[kind], worked=max(int(sizes[kind].worked * share), 1)) for kind in others}
    return {**sizes, Kind.VITAL: replace(sizes[Kind.VITAL], worked=vital), **fewer}
