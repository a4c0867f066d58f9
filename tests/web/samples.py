"""Orders as the API answers them: for pages that show the same every time, or more than a test can trade."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

HOUR = timedelta(hours=1)
SYMBOLS = ("RELIANCE", "INFY", "SBIN", "TCS", "HDFCBANK", "M&M")
STATUSES = ("IN_PROGRESS", "IN_PROGRESS", "PAUSED", "IN_PROGRESS", "PENDING")


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def order(number: int, **changed: Any) -> dict[str, Any]:
    """The order of this number, half way through its hour: some in doubt, some refused, some held."""
    now = datetime.now(UTC)
    total = 1000 * (1 + number * 7919 % 97)
    filled = total * (number * 31 % 90) // 100
    working = (total - filled) // 10
    unknown = 96 if number % 9 == 1 else 0
    is_held = number % 11 == 3
    made = {
        "order_id": f"ord_{10**25 - number:026d}",
        "order_unique_key": f"key-{number}",
        "account_id": "acc_01M83SHP4T5GPW747ZEPB9J7HT",
        "account_name": "asha",
        "broker_account": "paper",
        "instrument": f"NSE:{SYMBOLS[number % len(SYMBOLS)]}",
        "side": "SELL" if number % 3 == 0 else "BUY",
        "total_quantity": total,
        "split_config": {"num_splits": 20, "duration_minutes": 60, "randomize": True, "until_close": False},
        "order_type": "MARKET",
        "limit_price": None,
        "session": "refuse",
        "product": "CNC",
        "start_at": stamp(now - HOUR / 2),
        "end_at": stamp(now + HOUR / 2),
        "slice_timeout_seconds": None,
        "client_note": "rebalance, leg 2" if number % 4 == 0 else None,
        "catch_up": "spread",
        "max_slice_multiple": 3,
        "extend_minutes": 0,
        "leftover": "catch_up",
        "at_end": "leave",
        "status": STATUSES[number % len(STATUSES)],
        "result": None,
        "skip_reason": None,
        "filled_quantity": filled,
        "leaves_quantity": total - filled,
        "average_price": "2850.4500" if filled else None,
        "currency": "INR",
        "exposure": {
            "filled": filled,
            "working": working,
            "on_its_way": 0,
            "unknown": unknown,
            "unsent": total - filled - working - unknown,
        },
        "slices": {"FILLED": 9, "SCHEDULED": 10} | ({"REJECTED": 1} if number % 7 == 2 else {}),
        "next_slice_at": stamp(now + timedelta(seconds=5 + number % 50)),
        "planned_quantity": total // 2,
        "late_ms": {"last": 47, "p95": 88, "worst": 900} if filled else {"last": None, "p95": None, "worst": None},
        "created_at": stamp(now - HOUR / 2 - timedelta(seconds=number)),
        "updated_at": stamp(now),
        "finished_at": None,
        "held": {
            "reason": "FUNDS",
            "since": stamp(now),
            "message": "Insufficient funds",
            "halt_id": None,
            "ended_by": "resuming it",
        }
        if is_held
        else None,
        "arrival": None,
        "not_fitting": None,
    }
    return made | changed


def slices(of: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The slices of an order, of which the first half is sent: one was refused, one is in doubt."""
    begun, half = datetime.now(UTC) - HOUR / 2, count // 2
    each = of["total_quantity"] // count
    made = []
    for number in range(1, count + 1):
        at = begun + HOUR * (number - 1) / count
        is_sent = number <= half
        status = "SCHEDULED" if not is_sent else {half // 3: "REJECTED", half - 2: "UNKNOWN"}.get(number, "FILLED")
        is_filled = status == "FILLED"
        made.append(
            {
                "slice_id": f"sl_{number:026d}",
                "sequence_number": number,
                "quantity": each,
                "planned_quantity": each,
                "scheduled_at": stamp(at),
                "status": status,
                "sent_at": stamp(at + timedelta(milliseconds=47)) if is_sent else None,
                "late_ms": 47 if is_sent else None,
                "attempts": int(is_sent),
                "broker_order_id": f"26112300{number:08d}" if is_sent else None,
                "filled_quantity": each if is_filled else 0,
                "average_price": "2850.1000" if is_filled else None,
                "last_price_before": None,
                "error": {"code": "BROKER_REJECTED", "message": "Invalid order"} if status == "REJECTED" else None,
            }
        )
    return made


def fills(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A fill for each slice that is filled."""
    return [
        {
            "slice_id": one["slice_id"],
            "sequence_number": one["sequence_number"],
            "broker_order_id": one["broker_order_id"],
            "trade_id": str(one["sequence_number"]),
            "quantity": one["filled_quantity"],
            "price": one["average_price"],
            "traded_at": one["sent_at"],
            "recorded_at": one["sent_at"],
            "settled_by": None,
        }
        for one in sent
        if one["filled_quantity"]
    ]


def show_orders(page: "Page", orders: list[dict[str, Any]]) -> None:
    """Have the page read these orders, a page of them at a time."""

    def listed(route: "Route") -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        if query.get("attention") or query.get("changed_after"):
            route.fulfill(json={"orders": [], "next_cursor": None, "last_event_id": 18204})
            return
        text = query.get("search", [""])[0].lower()
        meant = [one for one in orders if text in one["order_unique_key"]]
        if query.get("sort") == ["created_at"]:
            meant.reverse()
        begin, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        rest = str(begin + limit) if begin + limit < len(meant) else None
        answer = {"orders": meant[begin : begin + limit], "next_cursor": rest, "last_event_id": 18204}
        route.fulfill(json=answer)

    page.route("**/api/orders?*", listed)


def show_order(page: "Page", shown: dict[str, Any], parts: list[dict[str, Any]]) -> list[int]:
    """Have the page read this order with these slices, of which as many have changed as the list says at its end."""
    path = f"**/api/orders/{shown['order_id']}"
    changing = [0]

    def sliced(route: "Route") -> None:
        changed = [one | {"late_ms": changing[-1]} for one in parts[: changing[-1]]]
        rest = [] if "changed_after" in route.request.url else parts[changing[-1] :]
        route.fulfill(json={"slices": changed + rest, "last_event_id": 18204})

    def happened(route: "Route") -> None:
        events = [
            _event(
                1, "order.pending", "the client placed it", shown["created_at"], "acc_1", "asha", to_status="PENDING"
            ),
            _event(2, "order.in_progress", "its slices are being worked", shown["start_at"], to_status="IN_PROGRESS"),
        ]
        route.fulfill(json={"events": events, "next_after": None, "next_cursor": None})

    page.route(path, lambda route: route.fulfill(json=shown | {"last_event_id": 18204}))
    page.route(f"{path}/slices*", sliced)
    page.route(f"{path}/fills*", lambda route: route.fulfill(json={"fills": fills(parts), "next_cursor": None}))
    page.route(f"{path}/events*", happened)
    return changing


def _event(
    number: int, kind: str, reason: str, at: str, actor: str = "pulse", name: str = "pulse", **more: Any
) -> dict[str, Any]:
    usual = {"event_id": number, "order_id": "", "slice_id": None, "from_status": None, "details": {}}
    return usual | {"type": kind, "reason": reason, "at": at, "actor": actor, "actor_name": name} | more
