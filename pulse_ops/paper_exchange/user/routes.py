"""Routes about the account: who it is, what it has."""

from flask import Blueprint, Response

from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import bad_input, not_here
from pulse_ops.paper_exchange.user import portfolio
from pulse_ops.paper_exchange.user.profile import profile

user = Blueprint("user", __name__)


@user.get("/user/profile")
def show_profile() -> Response:
    """Who is logged in."""
    return success(profile())


@user.get("/user/margins")
@user.get("/user/margins/<segment>")
def show_funds(segment: str | None = None) -> Response:
    """What there is to trade with, everywhere or in one segment."""
    found = portfolio.funds(desk().exchange.entry.account)
    if segment is None:
        return success(found)
    if segment not in found:
        raise bad_input("Invalid `segment`.")
    return success(found[segment])


@user.get("/portfolio/holdings")
def show_holdings() -> Response:
    """The shares of the account."""
    exchange = desk().exchange
    return success(portfolio.holdings(exchange.entry.account, exchange.today(), exchange.market.price))


@user.get("/portfolio/positions")
def show_positions() -> Response:
    """What was traded today, and what was carried over."""
    exchange = desk().exchange
    return success(portfolio.net_and_day(exchange.books, exchange.today(), exchange.market.price))


@user.put("/portfolio/positions")
def convert_position() -> Response:
    """Refuse: a position keeps the product it was traded with."""
    raise not_here("The paper exchange does not convert positions.")
