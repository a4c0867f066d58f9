"""Orders, their slices and their fills."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from pulse_client.calls import Calls, part
from pulse_client.new_order import Amendment, NewOrder
from pulse_client.order_models import Fill, FillPage, Order, OrderPage, OrderSnapshot, Placed, Slice, SliceList
from pulse_client.preview_models import OrderPreview
from pulse_client.transport import Request
from pulse_client.vocabulary import CatchUp, WorkingSlices

# Where the answer says that the next page begins.
_NEXT_PAGE = re.compile('[?&]cursor=([^&>]+)[^>]*>; rel="next"')
# The key in the query: on the way, paths with dots and slashes are rewritten.
_BY_KEY = "/api/orders/by-key"


class Orders(Calls):
    """`if_match` of a change is the `etag` of the order as it was read: changed since, it is left as it is."""

    def preview(self, order: NewOrder) -> OrderPreview:
        """What the order would be and cost if it were placed now; nothing is made."""
        # It is another question each time: asking twice is like asking once.
        asked = Request("POST", "/api/orders/preview", body=replace(order, plan_token=None))
        return self._parse(OrderPreview, self._ask(asked))

    def place(self, order: NewOrder, idempotency_key: str | None = None, *, plan_token: str | None = None) -> Placed:
        """Place the order, or find the one placed before under the same unique key.

        With the `plan_token` of a preview of it, it has the schedule that was shown. Raises Conflict with the code
        PLAN_CHANGED where it would not.
        """
        order = order if plan_token is None else replace(order, plan_token=plan_token)
        answer = self._change("POST", "/api/orders", order, idempotency_key)
        placed = self._parse(Placed, answer)
        is_replay = answer.headers.get("Idempotent-Replayed") == "true"
        return Placed(order_id=placed.order_id, order_unique_key=placed.order_unique_key, replayed=is_replay)

    def order(self, order_id: str) -> OrderSnapshot:
        """An order as it is now."""
        return self._get(OrderSnapshot, _path(order_id))

    def order_by_key(self, order_unique_key: str, account_id: str | None = None) -> OrderSnapshot:
        """The order with this key, of another account for operators and admins."""
        return self._get(OrderSnapshot, _BY_KEY, order_unique_key=order_unique_key, account_id=account_id)

    def slices(self, order_id: str) -> list[Slice]:
        """The slices in the order of their times; none before the order is split."""
        return self.slice_list(order_id).slices

    def slice_list(self, order_id: str, changed_after: int | None = None) -> SliceList:
        """The slices, or those that have changed after this event, with the last event that they show."""
        return self._get(SliceList, f"{_path(order_id)}/slices", changed_after=changed_after)

    def fill_page(self, order_id: str, limit: int = 100, cursor: str | None = None) -> FillPage:
        """Up to `limit` trades of an order."""
        return self._get(FillPage, f"{_path(order_id)}/fills", limit=limit, cursor=cursor)

    def fills(self, order_id: str, limit: int = 500) -> Iterator[Fill]:
        """Every trade of an order, asked for in pages of `limit`."""
        page = self.fill_page(order_id, limit)
        yield from page.fills
        while page.next_cursor is not None:
            page = self.fill_page(order_id, limit, page.next_cursor)
            yield from page.fills

    def fills_csv(self, order_id: str, limit: int = 500) -> Iterator[str]:
        """Every trade of an order as CSV, page by page; the names of the columns stand once, at the beginning."""
        query: dict[str, Any] = {"limit": limit}
        is_first = True
        while True:
            asked = Request("GET", f"{_path(order_id)}/fills", query=query, headers={"Accept": "text/csv"})
            answer = self._ask(asked)
            names, _, lines = answer.data.decode().partition("\r\n")
            yield f"{names}\r\n{lines}" if is_first else lines
            further = _NEXT_PAGE.search(answer.headers.get("Link", ""))
            if further is None:
                return
            query, is_first = {"limit": limit, "cursor": unquote(further[1])}, False

    def page(self, filters: Mapping[str, Any], limit: int, cursor: str | None = None) -> OrderPage:
        """Up to `limit` orders, newest first.

        The filters are those of the API; None leaves one out, and a status may be several, separated by commas.
        """
        return self._get(OrderPage, "/api/orders", **{**filters, "limit": limit, "cursor": cursor})

    def pages(self, filters: Mapping[str, Any], limit: int, cursor: str | None = None) -> Iterator[OrderPage]:
        """Every page from the cursor on."""
        while True:
            page = self.page(filters, limit, cursor)
            yield page
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    def orders(self, limit: int = 100, **filters: Any) -> Iterator[Order]:
        """Every order that the filters let through, newest first, asked for in pages of `limit`."""
        for page in self.pages(filters, limit):
            yield from page.orders

    def amend(
        self, order_id: str, changes: Amendment, if_match: str, idempotency_key: str | None = None
    ) -> OrderSnapshot:
        """Change an order that is not over; what is unsent of it is planned anew.

        `if_match` is the `etag` of the order as it was read, or "*": changed since, it is left as it is.
        """
        return self._parse(OrderSnapshot, self._change("PATCH", _path(order_id), changes, idempotency_key, if_match))

    def cancel(self, order_id: str, if_match: str | None = None, idempotency_key: str | None = None) -> Order:
        """Cancel what is not filled; repeating it is harmless."""
        return self._parse(Order, self._change("DELETE", _path(order_id), None, idempotency_key, if_match))

    def cancel_by_key(
        self,
        order_unique_key: str,
        account_id: str | None = None,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Order:
        """The same to the order with this key, of another account for operators."""
        query = {"order_unique_key": order_unique_key, "account_id": account_id}
        return self._parse(Order, self._change("DELETE", _BY_KEY, None, idempotency_key, if_match, query))

    def pause(
        self,
        order_id: str,
        if_match: str | None = None,
        idempotency_key: str | None = None,
        working: WorkingSlices | None = None,
    ) -> Order:
        """Send nothing new of it until it is resumed; repeating it is harmless.

        What works at the broker is kept there, or called back with CANCEL.
        """
        path, query = f"{_path(order_id)}/pause", {"working": working}
        return self._parse(Order, self._change("POST", path, None, idempotency_key, if_match, query))

    def resume(
        self,
        order_id: str,
        if_match: str | None = None,
        idempotency_key: str | None = None,
        catch_up: CatchUp | None = None,
    ) -> Order:
        """Let an order that is paused or held go on; repeating it is harmless.

        `catch_up` says how it catches up this once, in place of its own policy.
        """
        path = f"{_path(order_id)}/resume" + ("" if catch_up is None else f"?catch_up={catch_up}")
        return self._parse(Order, self._change("POST", path, None, idempotency_key, if_match))


def _path(order_id: str) -> str:
    return f"/api/orders/{part(order_id)}"
