"""Routes of the market: its clock, its calendar and its assets, by the exchange's own clock."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from flask import Blueprint, Response, jsonify, request

from pulse_ops.paper_exchange.alpaca.assets import asset_row, assets
from pulse_ops.paper_exchange.alpaca.days import NEW_YORK, OpenDay, open_days
from pulse_ops.paper_exchange.alpaca.errors import Refusal, unprocessable
from pulse_ops.paper_exchange.alpaca.readings import suffered
from pulse_ops.paper_exchange.alpaca.standing import account_stands
from pulse_ops.paper_exchange.clock import utc
from pulse_ops.paper_exchange.context import desk

market = Blueprint("market", __name__, url_prefix="/v2")

# Longer than the market is ever closed.
_AHEAD = timedelta(days=14)
_LONGEST = timedelta(days=3660)


@market.get("/assets")
def list_assets() -> Response:
    """Everything that is listed, active or not, unless one of them is asked for."""
    status, of_class = request.args.get("status"), request.args.get("asset_class", "us_equity")
    rows = [asset_row(one) for one in assets().values() if of_class == "us_equity"]
    return jsonify(suffered([row for row in rows if status in (None, row["status"])]))


@market.get("/assets/<symbol>")
def show_asset(symbol: str) -> Response:
    """One asset by its symbol."""
    if symbol not in assets():
        raise Refusal(404, f"asset not found for {symbol}")
    return jsonify(asset_row(assets()[symbol]))


@market.get("/clock")
def show_clock() -> Response:
    """The time, whether the market is open, and when it opens and closes next."""
    now = _now()
    ahead = list(_sessions(now.date(), now.date() + _AHEAD))
    is_open = any(opens <= now < closes for opens, closes in ahead)
    return jsonify(
        timestamp=now.isoformat(timespec="microseconds"),
        is_open=is_open,
        next_open=next(opens for opens, _ in ahead if opens > now).isoformat(),
        next_close=next(closes for _, closes in ahead if closes > now).isoformat(),
    )


@market.get("/calendar")
def show_calendar() -> Response:
    """The days of trade from `start` to `end`."""
    since, until = _date("start", _now().date()), _date("end", _now().date() + _AHEAD)
    if until - since > _LONGEST:
        raise unprocessable("the calendar is shown for ten years at most")
    return jsonify([_row(one) for one in suffered(list(_days(since, until)))])


def _days(since: date, until: date) -> Iterator[OpenDay]:
    return open_days(since, until, account_stands().now.days or {})


def _sessions(since: date, until: date) -> Iterator[tuple[datetime, datetime]]:
    for one in _days(since, until):
        yield _at(one.day, one.opens), _at(one.day, one.closes)


def _row(one: OpenDay) -> dict[str, str]:
    return {
        "date": one.day.isoformat(),
        "open": f"{one.opens:%H:%M}",
        "close": f"{one.closes:%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
    }


def _now() -> datetime:
    return utc(desk().exchange.books.now()).astimezone(NEW_YORK)


def _at(day: date, local: time) -> datetime:
    return datetime.combine(day, local, NEW_YORK)


def _date(name: str, unset: date) -> date:
    given = request.args.get(name)
    try:
        return unset if given is None else date.fromisoformat(given[:10])
    except ValueError:
        raise unprocessable(f"{name} is no date") from None
