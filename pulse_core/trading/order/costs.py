"""What the slices of an order need and cost, and what its broker account has: as far as the broker tells, in time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import Any, TypeVar

from api_contract.vocabulary import Product, Side
from pulse_core import brokers, db
from pulse_core.brokers import NotConnected, quotes
from pulse_core.brokers.money import Charges, Costs, NotTold, TellsMoney
from pulse_core.brokers.port import Placement
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.store import promised

T = TypeVar("T")


# All questions of one preview together: somebody waits for its answer.
LONGEST_SECONDS = 3.0
# Calls for prices are a second apart.
LONGEST_WAIT_FOR_A_PRICE = 1.5


@dataclass(frozen=True)
class Untold:
    """A figure that is missing, and why."""

    what: str
    reason: str


@dataclass(frozen=True)
class Money:
    """Of all slices of an order together; None where the broker did not tell, for the reason in `not_told`.

    `holdings` are the shares of its instrument that the account can sell, of which open orders will sell `promised`;
    None without a sale of shares.
    """

    margin: Decimal | None = None
    charges: Charges | None = None
    funds: Decimal | None = None
    holdings: int | None = None
    promised: int | None = None
    last_price: Decimal | None = None
    not_told: Sequence[Untold] = field(default_factory=list)

    @property
    def holdings_free(self) -> int | None:
        """What open orders leave of the holdings."""
        return None if self.holdings is None else self.holdings - (self.promised or 0)


class Teller:
    """A broker account that is asked about money, all its answers together within `seconds`."""

    def __init__(self, name: str, seconds: float) -> None:
        self._name = name
        self._ends_at = monotonic() + seconds

    def costs(self, placements: Sequence[Placement]) -> Sequence[Costs]:
        """What each order needs and costs. Raises NotTold, as all of these do."""
        return self._ask(lambda broker, seconds: broker.costs(placements, seconds))

    def funds(self) -> Decimal:
        return self._ask(lambda broker, seconds: broker.funds(seconds))

    def holdings(self, instruments: Sequence[str]) -> Mapping[str, int]:
        """How many shares of each the account can sell."""
        return self._ask(lambda broker, seconds: broker.holdings(instruments, seconds))

    def _ask(self, read: Callable[[TellsMoney, float], T]) -> T:
        began_at, seconds = utcnow(), self._ends_at - monotonic()
        if seconds <= 0:
            raise NotTold("LATE", "the broker took too long over what was asked before")
        try:
            return read(self._broker(), seconds)
        except NotTold as error:
            # Any call that is refused for its account holds the account.
            note_refusal(self._name, error, began_at, is_read=True)
            raise

    def _broker(self) -> TellsMoney:
        try:
            connected = brokers.connect(self._name)
        except NotConnected as error:
            raise NotTold(error.code, error.message) from None
        broker = getattr(connected, "unmeasured", connected)
        if not isinstance(broker, TellsMoney):
            raise NotTold("NOT_SERVED", f"the broker of {self._name} does not tell")
        return broker


def teller(broker_account: str, seconds: float = LONGEST_SECONDS) -> Teller:
    """Who is asked about an account; never for longer than the broker is waited for."""
    return Teller(broker_account, min(seconds, settings().broker_timeout))


def money_of(row: Mapping[str, Any], planned: Sequence[PlannedSlice]) -> Money:
    """What an order with this row needs and costs, slice by slice, as far as its broker tells within LONGEST_SECONDS.

    Not inside a transaction. Raises DatabaseUnavailable.
    """
    asked, untold = teller(row["broker"]), list[Untold]()
    last_price = None if row["limit_price"] is not None else _last_price(row["broker"], row["instrument"], untold)
    costs = _costs(asked, [_placement(row, one) for one in planned])
    margin = _sum((one.margin for one in costs), "margin", untold)
    charges = _charges([one.charges for one in costs], untold)
    funds = _or_none(asked.funds, "funds", untold)
    if not sells_shares(row):
        return Money(margin=margin, charges=charges, funds=funds, last_price=last_price, not_told=untold)
    instrument = row["instrument"]
    holdings = _or_none(lambda: asked.holdings([instrument])[instrument], "holdings", untold)
    return Money(
        margin=margin,
        charges=charges,
        funds=funds,
        holdings=holdings,
        promised=None if holdings is None else promised_by_others(row["broker"], instrument),
        last_price=last_price,
        not_told=untold,
    )


def sells_shares(row: Mapping[str, Any]) -> bool:
    """Whether an order sells from the holdings of its account."""
    return row["side"] is Side.SELL and (row["product"] or settings().kite_product) == Product.CNC


def promised_by_others(broker_account: str, instrument: str) -> int:
    """What open orders of the account will still sell of it. Not inside a transaction. Raises DatabaseUnavailable."""
    with db.statement() as connection:
        is_default = settings().kite_product == Product.CNC
        return promised.to_sell(connection, broker_account, instrument, is_default=is_default)


def _last_price(broker_account: str, instrument: str, untold: list[Untold]) -> Decimal | None:
    try:
        prices = quotes.of(brokers.connect(broker_account))
    except NotConnected as error:
        untold.append(Untold("price", error.message))
        return None
    quote = None if prices is None else prices.latest([instrument], LONGEST_WAIT_FOR_A_PRICE).get(instrument)
    if quote is None:
        untold.append(Untold("price", "the broker told no price in time"))
        return None
    return quote.last_price


def _placement(row: Mapping[str, Any], one: PlannedSlice) -> Placement:
    return Placement("", row["instrument"], row["side"], one.quantity, row["limit_price"], row["product"])


def _costs(asked: Teller, placements: Sequence[Placement]) -> Sequence[Costs]:
    try:
        return asked.costs(placements)
    except NotTold as untold:
        return [Costs(untold, untold)]


def _or_none(read: Callable[[], T], what: str, untold: list[Untold]) -> T | None:
    try:
        return read()
    except NotTold as error:
        untold.append(Untold(what, error.message))
        return None


def _sum(amounts: Iterable[Decimal | NotTold], what: str, untold: list[Untold]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if isinstance(amount, NotTold):
            untold.append(Untold(what, amount.message))
            return None
        total += amount
    return total


def _charges(each: Sequence[Charges | NotTold], untold: list[Untold]) -> Charges | None:
    told = [one for one in each if not isinstance(one, NotTold)]
    total = _sum((one if isinstance(one, NotTold) else one.total for one in each), "charges", untold)
    if total is None:
        return None
    names = dict.fromkeys(name for one in told for name in one.parts)
    return Charges(total, {name: sum((one.parts.get(name, Decimal(0)) for one in told), Decimal(0)) for name in names})
