"""How many requests are answered in a time: for an account once it is known, for an address before that.

Each budget is counted on its own, so that one that is used up takes nothing from another: of an account its new
orders and everything else; of an address postbacks and whatever else comes without a token that is known to be good.
An account's own limit takes the place of the installation's, but lets no more new orders through than that does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, cast

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RequestLimit
from limits import parse

from api_contract.bulkheads import AskerOf
from api_contract.errors import RateLimited
from gapi_app import clock
from gapi_app.access.auth import Access, access
from gapi_app.access.tokens import Identity
from gapi_app.config import Settings
from gapi_app.guard.concurrency import Kind
from gapi_app.guard.known_networks import KnownNetworks
from gapi_app.guard.shared_counts import SharedCounts

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

OFF = "off"
HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
# Who watches the gateway must see it in any rush; a sibling asks for many people, with a token of its own.
# Exactly these: whatever else begins like one of them is no page, and counts.
_UNLIMITED = frozenset({"/health", "/.well-known/jwks.json", "/internal/tokens/introspect", "/internal/tokens/revoke"})
_OF_SIBLINGS = "/internal/"
_POSTBACKS = "/api/postbacks/"
_ORDERS = "/api/orders"


@dataclass(frozen=True)
class Budget:
    """Whose requests are counted together, and how many there may be."""

    key: str
    limit: str


def limit_requests(app: Flask, settings: Settings, files: frozenset[str] = frozenset()) -> None:
    """Refuse requests beyond the limits with 429, and say on each limited answer how many are left.

    `files`: paths of the page, which are read once and kept: an office must not lock itself out by opening it.
    """
    limiter = Limiter(
        key_func=lambda: _budget().key,
        application_limits=[lambda: _budget().limit],
        storage_uri=f"{SharedCounts.STORAGE_SCHEME[0]}://",
        strategy="fixed-window",
        request_identifier=lambda: "any",
        on_breach=_refuse,
    )
    choose = _chooser(settings, files)

    @app.before_request
    def choose_budget() -> None:
        g.known = _known()
        g.budget = choose()

    limiter.request_filter(lambda: _budget().limit == OFF)
    limiter.init_app(app)
    if settings.pulse_limits_redis_url:
        cast("SharedCounts", limiter.storage).follow(settings.pulse_limits_redis_url.get_secret_value())

    @app.after_request
    def show_limit(response: Response) -> Response:
        if limit := limiter.current_limit:
            shown = (limit.limit.amount, limit.remaining, _seconds_left(limit))
            response.headers.update({name: str(value) for name, value in zip(HEADERS, shown, strict=True)})
        return response


def network_of(address: str) -> str:
    """What is counted as one address: whoever has one IPv6 address has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed) >> 64 << 64, 64)))


@lru_cache(maxsize=10_000)
def wide_network_of(address: str) -> str:
    """The network that an address belongs to, as pulse counts failed logins: of IPv4 its /24, of IPv6 its /48."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(ip_network(f"{parsed}/{24 if parsed.version == 4 else 48}", strict=False))


def account_or_network() -> str:
    """Who sends this request, as far as that is known without asking pulse."""
    known = cast("Identity | None", g.known)
    return known.caller.account_id if known else network_of(request.remote_addr or "")


def asker(access: Access, networks: KnownNetworks) -> AskerOf:
    """The same before the request is looked at; None for siblings, which ask for many.

    Who logs in is not known yet: what counts is the network, a wide one, as one address is easily had for another.
    """

    def asker_of(environ: "WSGIEnvironment", kind: str) -> str | None:
        address = environ.get("REMOTE_ADDR", "")
        if environ["PATH_INFO"].startswith(_OF_SIBLINGS):
            return None
        if kind.startswith(Kind.LOGINS):
            return wide_network_of(address)
        known = access.known(environ.get("HTTP_AUTHORIZATION", ""))
        if known is None:
            return network_of(address)
        networks.note(wide_network_of(address))
        return known.caller.account_id

    return asker_of


def stricter(limit: str, own: int | None) -> str:
    """The one that lets less through in the long run: the installation's limit, or an account's own per minute."""
    if own is None or (limit != OFF and _per_minute(limit) <= own):
        return limit
    return f"{own}/minute"


def _chooser(settings: Settings, files: frozenset[str]) -> Callable[[], Budget]:
    unlimited, free = Budget("unlimited", OFF), _UNLIMITED | files

    def choose() -> Budget:
        path = request.path
        if path in free:
            return unlimited
        if known := cast("Identity | None", g.known):
            return _budget_of(known, settings)
        network = network_of(request.remote_addr or "")
        if path.startswith(_POSTBACKS):
            return Budget(f"postbacks:{network}", settings.pulse_rate_limit_postbacks)
        return Budget(f"address:{network}", settings.pulse_rate_limit_address)

    return choose


def _budget_of(known: Identity, settings: Settings) -> Budget:
    account, own = known.caller.account_id, known.requests_per_minute
    if request.path == _ORDERS and request.method == "POST":
        return Budget(f"orders:{account}", stricter(settings.pulse_rate_limit_orders, own))
    return Budget(f"account:{account}", settings.pulse_rate_limit_account if own is None else f"{own}/minute")


@cache
def _per_minute(limit: str) -> float:
    parsed = parse(limit)
    return parsed.amount * 60 / parsed.get_expiry()


def _known() -> Identity | None:
    return access().known(request.headers.get("Authorization", ""))


def _budget() -> Budget:
    return cast("Budget", g.budget)


def _refuse(limit: RequestLimit) -> None:
    details = {"limit": limit.limit.amount, "window_seconds": limit.limit.get_expiry()}
    raise RateLimited("too many requests", _seconds_left(limit), details)


def _seconds_left(limit: RequestLimit) -> int:
    return max(1, math.ceil(limit.reset_at - clock.now()))
