"""What operators do about a slice that went wrong, and the trail of an order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pulse_client.calls import Calls, part
from pulse_client.models import Event
from pulse_client.order_models import Slice
from pulse_client.reading import Answer


@dataclass(frozen=True)
class Settlement:
    """What became of a slice: so many shares at an average price, or nothing more, with how that is known."""

    filled: int | None = None
    price: Decimal | None = None
    absent: bool = False
    reason: str = ""


class Audit(Answer):
    """Who placed an order, and what happened to it; `trace` holds the ids of the request that placed it."""

    order_id: str
    order_unique_key: str
    account_id: str
    trace: Mapping[str, Any]
    entries: list[Event]
    next_after: int | None
    next_cursor: str | None


class Operating(Calls):
    """For operators, but for `audit`. A slice that cannot be treated so raises Conflict."""

    def retry_slice(self, order_id: str, slice_id: str, idempotency_key: str | None = None) -> Slice:
        """Send again what a failed, rejected or expired slice lacks; never one that may be live."""
        return self._about_slice(order_id, slice_id, "retry", None, idempotency_key)

    def resolve_slice(self, order_id: str, slice_id: str, idempotency_key: str | None = None) -> Slice:
        """Have the broker asked at once about a slice that is UNKNOWN."""
        return self._about_slice(order_id, slice_id, "resolve", None, idempotency_key)

    def settle_slice(
        self, order_id: str, slice_id: str, settlement: Settlement, idempotency_key: str | None = None
    ) -> Slice:
        """Say what became of a slice, when no book of the broker can tell any more."""
        return self._about_slice(order_id, slice_id, "settle", settlement, idempotency_key)

    def audit_page(self, order_id: str, limit: int = 100, cursor: str | None = None) -> Audit:
        """Who placed an order, and up to `limit` entries of what happened to it."""
        return self._get(Audit, f"/api/orders/{part(order_id)}/audit", limit=limit, cursor=cursor)

    def audit(self, order_id: str, limit: int = 500) -> Iterator[Event]:
        """Everything that happened to an order with who did it and why, asked for in pages of `limit`."""
        page = self.audit_page(order_id, limit)
        yield from page.entries
        while page.next_cursor is not None:
            page = self.audit_page(order_id, limit, page.next_cursor)
            yield from page.entries

    def _about_slice(
        self, order_id: str, slice_id: str, act: str, body: object | None, idempotency_key: str | None
    ) -> Slice:
        path = f"/api/orders/{part(order_id)}/slices/{part(slice_id)}/{act}"
        return self._parse(Slice, self._change("POST", path, body, idempotency_key))
