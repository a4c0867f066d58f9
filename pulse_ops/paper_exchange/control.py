"""Routes beside the protocol, for tests and judges: what they drive, and the ledger."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, ValidationError

from pulse_ops.paper_exchange.clock import us_of, utc
from pulse_ops.paper_exchange.context import desk
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.faults import Scenario
from pulse_ops.paper_exchange.ledger import Ledger
from pulse_ops.paper_exchange.user.account import Has


class Clock(BaseModel):
    """An instant, or none."""

    model_config = ConfigDict(extra="forbid")
    now: AwareDatetime | None


class WantedLogins(BaseModel):
    """Who may call without a login."""

    model_config = ConfigDict(extra="forbid")
    standing_token: bool


class Prices(RootModel[dict[str, Annotated[Decimal, Field(gt=0, le=10_000_000)]]]):
    """Rupees by instrument."""


Body = TypeVar("Body", bound=BaseModel)

control = Blueprint("control", __name__, url_prefix="/_paper")


@control.get("/health")
def health() -> Response:
    """Say that the exchange is open."""
    return jsonify(status="ok")


@control.get("/scenario")
def show_scenario() -> Response:
    """The scenario in force, with what is left of each count."""
    return jsonify(desk().exchange.faults.scenario.model_dump())


@control.put("/scenario")
def put_scenario() -> Response:
    """Put a scenario in force."""
    scenario = _body(Scenario)
    desk().exchange.set_scenario(scenario)
    return jsonify(scenario.model_dump())


@control.post("/day-end")
def end_day() -> Response:
    """End every order of the day and begin the next one, which is told."""
    return jsonify(day=desk().exchange.end_day())


@control.get("/clock")
def show_clock() -> Response:
    """The instant by the exchange's clock."""
    return jsonify(now=utc(desk().exchange.books.now()).isoformat())


@control.put("/clock")
def set_clock() -> Response:
    """Let the exchange's clock go on from `now` (ISO 8601 with a zone); null takes it back to the machine's."""
    desk().exchange.move_clock(_instant(_body(Clock).now))
    return show_clock()


@control.put("/logins")
def set_logins() -> Response:
    """Whether the standing token works; otherwise everybody has to log in."""
    desk().logins.set_standing(_body(WantedLogins).standing_token)
    return jsonify(standing_token=desk().logins.is_standing)


@control.delete("/logins")
def end_logins() -> Response:
    """End every login, as one elsewhere does."""
    desk().logins.end_all()
    return jsonify(status="ok")


@control.get("/account")
def show_account() -> Response:
    """What the account had at the beginning; null where there is plenty."""
    return jsonify(desk().exchange.entry.account.has.model_dump(mode="json"))


@control.put("/account")
def set_account() -> Response:
    """Say what the account has: `cash` in rupees, `holdings` by symbol; null means plenty."""
    desk().exchange.entry.account.set(_body(Has))
    return show_account()


@control.put("/prices")
def set_prices() -> Response:
    """Let the prices of instruments go on from these, in rupees. One farther than 5 % from its start stands still."""
    prices = _body(Prices).root
    for key, price in prices.items():
        desk().exchange.market.set_price(key, round(price * 100))
    desk().exchange.tick()
    return jsonify({key: str(price) for key, price in prices.items()})


@control.get("/ledger")
def show_ledger() -> Response:
    """Orders, trades and arrivals as the ledger has them; `?tag=` narrows them to one client order id."""
    tag = request.args.get("tag")
    with Ledger(desk().exchange.books.path) as ledger:
        # Before the orders: the exchange goes on trading, and each trade's order is to be among them.
        trades = [_plain(trade) for trade in ledger.trades(tag)]
        return jsonify(
            orders=[_plain(order) for order in ledger.orders(tag)],
            trades=trades,
            arrivals=[_plain(arrival) for arrival in ledger.arrivals(tag)],
        )


def _body(wanted: type[Body]) -> Body:
    try:
        return wanted.model_validate_json(request.get_data())
    except ValidationError as error:
        raise bad_input(str(error)) from None


def _instant(at: datetime | None) -> int | None:
    return None if at is None else us_of(at)


def _plain(row: Any) -> dict[str, Any]:
    return {name: _text(value) for name, value in asdict(row).items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
