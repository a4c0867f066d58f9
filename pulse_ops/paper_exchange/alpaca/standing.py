"""The account behind this wire: its keys, and what its broker may have blocked. Tests set both."""

import hmac
from datetime import date, time
from threading import Lock

from flask import Blueprint, Response, current_app, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError

from pulse_ops.paper_exchange.alpaca.errors import Refusal
from pulse_ops.paper_exchange.alpaca.wire import dollars
from pulse_ops.paper_exchange.context import desk
from pulse_ops.paper_exchange.errors import bad_input

ACCOUNT_NUMBER = "PA0PAPER0001"

standing = Blueprint("standing", __name__)


class Stated(BaseModel):
    """What a test says of the account and of the market; what it leaves out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    api_key: str | None = None
    api_secret: str | None = None
    status: str | None = None
    account_blocked: bool | None = None
    trading_blocked: bool | None = None
    days: dict[date, time | None] | None = None


class Standing:
    """How the account stands. Safe to use from many threads."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._lock = Lock()
        self._now = Stated(
            api_key=api_key,
            api_secret=api_secret,
            status="ACTIVE",
            account_blocked=False,
            trading_blocked=False,
            days={},
        )

    @property
    def now(self) -> Stated:
        with self._lock:
            return self._now

    def state(self, stated: Stated) -> None:
        """Let this hold from now on."""
        with self._lock:
            self._now = self._now.model_copy(update=stated.model_dump(exclude_none=True))

    def admit(self, api_key: str, api_secret: str) -> None:
        """Raise Refusal unless these are the keys, of an account that is not blocked."""
        wanted = self.now
        pairs = ((api_key, wanted.api_key or ""), (api_secret, wanted.api_secret or ""))
        if not all(hmac.compare_digest(given.encode(), right.encode()) for given, right in pairs):
            raise Refusal(401, "unauthorized.")

    def check_trading(self) -> None:
        """Raise Refusal where the account may not place orders."""
        if self.now.account_blocked or self.now.status != "ACTIVE":
            raise Refusal(403, "account is blocked")
        if self.now.trading_blocked:
            raise Refusal(403, "account is restricted from trading")


def account_stands() -> Standing:
    """That of the application that serves this request."""
    found: Standing = current_app.extensions["standing"]
    return found


@standing.get("/v2/account")
def show_account() -> Response:
    """The account: whose it is, what is blocked, and what it has. It borrows nothing."""
    now, has = account_stands().now, desk().exchange.entry.account
    left = dollars(has.cash() - has.used())
    return jsonify(
        id="904837e3-3b76-47ec-b432-046db621571b",
        account_number=ACCOUNT_NUMBER,
        status=now.status,
        currency="USD",
        account_blocked=now.account_blocked,
        trading_blocked=now.trading_blocked,
        transfers_blocked=False,
        trade_suspended_by_user=False,
        shorting_enabled=True,
        cash=left,
        buying_power=left,
        multiplier="1",
    )


@standing.put("/_paper/standing")
def set_standing() -> Response:
    """Change the keys, block the account, or let single days of the market differ."""
    try:
        stated = Stated.model_validate_json(request.get_data())
    except ValidationError as error:
        raise bad_input(str(error)) from None
    account_stands().state(stated)
    return jsonify(status="ok")
