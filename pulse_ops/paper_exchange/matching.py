"""How orders meet the market: at once, when their price comes, when a trigger or the clock sets them off."""

import sqlite3
from collections.abc import Callable

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.faults import Faults, Rule
from pulse_ops.paper_exchange.market import Market, crosses
from pulse_ops.paper_exchange.rules.protection import band_price, is_triggered
from pulse_ops.paper_exchange.store import FINAL, Books

_MINUTE_US = 60_000_000


class Matching:
    """Works inside the transactions of the exchange. Nothing trades of what is not trading by its hours."""

    def __init__(self, books: Books, market: Market, faults: Faults, is_trading: Callable[[str, int], bool]) -> None:
        self._books = books
        self._market = market
        self._faults = faults
        self._is_trading = is_trading

    def enter(self, order_id: str, request: OrderRequest, now: int) -> None:
        """Let a new order trade, or rest, or end."""
        if request.is_stop:
            self._try_trigger(self._order(order_id), now)
        else:
            self._trade(order_id, request, request.price, now)

    def live_through(self, life: Rule, order_id: str, request: OrderRequest, now: int) -> None:
        """Let a new order suffer what the scenario has in store for its life."""
        part = int(request.quantity * life.fraction)
        if life.fault == "reject":
            self._books.end_order(order_id, "REJECTED", life.message, now)
        elif life.fault == "open_pending":
            self._books.plan_fill(order_id, request.quantity, due_at=now + us(life.seconds))
        elif life.fault == "late_fill":
            self._books.plan_fill(order_id, max(part, 1), due_at=None, after_cancel=us(life.seconds))
        elif life.fault == "leave_rest":
            self._leave_rest(order_id, request, part, now)
        elif part:
            self._books.add_fill(order_id, part, self._market.step(request.instrument), now)

    def tick(self, now: int) -> list[str]:
        """Do what is due, and let what waits meet its price; the orders that were touched."""
        touched = [self._fill_planned(plan, now) for plan in self._books.take_due_fills(now)]
        touched += [self._be_due(order, now) for order in self._books.take_due_orders(now)]
        touched += [order["order_id"] for order in self._books.stops() if self._try_trigger(order, now)]
        touched += [order["order_id"] for order in self._books.resting_orders() if self._fill_crossed(order, now)]
        return touched

    def meet_again(self, order_id: str, now: int) -> None:
        """Let an order that was modified meet the market anew."""
        order = self._order(order_id)
        if order["status"] == "TRIGGER PENDING":
            self._try_trigger(order, now)
        elif order["status"] == "OPEN":
            self._meet(order, order["limit_price"], now)

    def _trade(self, order_id: str, request: OrderRequest, limit: int | None, now: int) -> None:
        price = self._market.step(request.instrument)
        can_trade = self._is_trading(request.instrument, now) and (
            limit is None or crosses(request.transaction_type, limit, price)
        )
        delay = us(self._faults.scenario.fill_delay)
        if can_trade and delay:
            self._books.plan_fill(order_id, request.quantity, due_at=now + delay)
        elif can_trade:
            self._books.add_fill(order_id, request.quantity, price, now)
        elif request.validity == "IOC":
            self._books.end_order(order_id, "CANCELLED", None, now)

    def _meet(self, order: sqlite3.Row, limit: int | None, now: int) -> None:
        price = self._market.step(instrument_of(order))
        can_trade = self._is_trading(instrument_of(order), now)
        if can_trade and (limit is None or crosses(order["transaction_type"], limit, price)):
            self._books.add_fill(order["order_id"], rest_of(order), price, now)
        elif order["validity"] == "IOC":
            self._books.end_order(order["order_id"], "CANCELLED", None, now)

    def _leave_rest(self, order_id: str, request: OrderRequest, part: int, now: int) -> None:
        """Part of a market order trades, then the price leaves its band: the rest is a limit order at the band."""
        instrument = request.instrument
        price = self._market.step(instrument)
        tick = self._market.tick(instrument)
        limit = request.price or band_price(request.transaction_type, price, request.market_protection, tick)
        if part:
            self._books.add_fill(order_id, part, price, now)
        self._market.set_price(instrument, limit + tick if request.transaction_type == "BUY" else limit - tick)
        if request.validity == "IOC":
            self._books.end_order(order_id, "CANCELLED", None, now)
        else:
            self._books.change_order(order_id, limit_price=limit)

    def _try_trigger(self, order: sqlite3.Row, now: int) -> bool:
        if not self._is_trading(instrument_of(order), now):
            return False
        price = self._market.step(instrument_of(order))
        if not is_triggered(order["transaction_type"], order["trigger_price"], price):
            return False
        limit = order["price"] if order["order_type"] == "SL" else None
        self._books.change_order(order["order_id"], status="OPEN", limit_price=limit, updated_at=now)
        self._books.add_change(order["order_id"])
        self._meet(order, limit, now)
        return True

    def _be_due(self, order: sqlite3.Row, now: int) -> str:
        order_id: str = order["order_id"]
        if order["status"] == "AMO REQ RECEIVED":
            self._go_out(order, now)
        elif order["status"] not in FINAL:
            self._books.cancel_order(order_id, None, now)
        return order_id

    def _go_out(self, order: sqlite3.Row, now: int) -> None:
        ends = now + order["validity_ttl"] * _MINUTE_US if order["validity_ttl"] else None
        is_stop = order["trigger_price"] is not None
        status = "TRIGGER PENDING" if is_stop else "OPEN"
        self._books.change_order(order["order_id"], status=status, due_at=ends, updated_at=now)
        self._books.add_change(order["order_id"])
        self.meet_again(order["order_id"], now)

    def _fill_planned(self, plan: sqlite3.Row, now: int) -> str:
        order_id: str = plan["order_id"]
        order = self._books.order(order_id)
        if order is not None:
            quantity = min(plan["quantity"], order["quantity"] - order["filled_quantity"])
            self._books.add_fill(order_id, quantity, self._market.step(instrument_of(order)), now)
        return order_id

    def _fill_crossed(self, order: sqlite3.Row, now: int) -> bool:
        if not self._is_trading(instrument_of(order), now):
            return False
        price = self._market.step(instrument_of(order))
        if not crosses(order["transaction_type"], order["limit_price"], price):
            return False
        self._books.add_fill(order["order_id"], rest_of(order), price, now)
        return True

    def _order(self, order_id: str) -> sqlite3.Row:
        found = self._books.order(order_id)
        if found is None:
            raise LookupError(order_id)
        return found


def instrument_of(order: sqlite3.Row) -> str:
    """The key of an order's instrument."""
    return f"{order['exchange']}:{order['tradingsymbol']}"


def rest_of(order: sqlite3.Row) -> int:
    """What of an order has not been filled."""
    rest: int = order["quantity"] - order["filled_quantity"]
    return rest


def us(seconds: float) -> int:
    """Microseconds."""
    return round(seconds * 1_000_000)
