"""What a page is told by hand: a listing of orders that waits, refuses or is away, and a stream of events."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

LAST_EVENT = 18204
REQUEST_ID = "req-of-this-refusal"

# `say` sends text down the stream that is open, `hangUp` ends it; while `isDown` none can be opened.
_FEED = """
  globalThis.resumedAfter = [];
  const real = globalThis.fetch;
  globalThis.fetch = (url, options) => {
    if (!/\\/api\\/events(\\/all)?$/.test(url)) return real(url, options);
    if (globalThis.isDown) return Promise.reject(new TypeError("Failed to fetch"));
    resumedAfter.push(options.headers["Last-Event-ID"] ?? "");
    return Promise.resolve(new Response(new ReadableStream({
      start(feed) {
        const encoder = new TextEncoder();
        globalThis.say = (text) => feed.enqueue(encoder.encode(text));
        globalThis.hangUp = () => feed.close();
        options.signal.addEventListener("abort", () => feed.error(options.signal.reason));
        say("id: LAST\\n\\n");
      },
    })));
  };
""".replace("LAST", str(LAST_EVENT))


def feed_by_hand(context: "BrowserContext") -> None:
    context.add_init_script(_FEED)


def tell(page: "Page", event_id: int, **event: Any) -> None:
    """An event, down the stream."""
    told = {"event_id": event_id, "type": "slice.fill", "order_id": "ord_of_another", "from_status": None} | event
    page.evaluate("(text) => say(text)", f"id: {event_id}\ndata: {json.dumps(told)}\n\n")


def refusal(status: int, message: str, code: str = "UNAVAILABLE", **headers: str) -> dict[str, Any]:
    """As a route is fulfilled with it."""
    body = json.dumps({"error": {"code": code, "message": message, "details": {}}})
    told = {"X-Request-Id": REQUEST_ID} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "headers": told, "content_type": "application/json", "body": body}


@dataclass
class Listing:
    """The orders as they are listed: at once, late, not at all, or refused."""

    orders: list[dict[str, Any]] = field(default_factory=list)
    refused: dict[str, Any] | None = None
    is_away: bool = False
    is_late: bool = False
    whole: int = 0
    _late: "list[Route]" = field(default_factory=list)

    def serve(self, context: "BrowserContext") -> None:
        context.route("**/api/orders?*", self._answer)

    def answer_now(self) -> None:
        """Answer what was asked for, and from now on at once."""
        self.is_late = False
        while self._late:
            self._answer(self._late.pop(0))

    def _answer(self, route: "Route") -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        is_whole = not query.get("attention") and not query.get("changed_after")
        self.whole += is_whole
        if self.is_late:
            self._late.append(route)
        elif self.is_away:
            route.abort()
        elif self.refused and is_whole:
            route.fulfill(**self.refused)
        else:
            route.fulfill(
                json={"orders": self.orders if is_whole else [], "next_cursor": None, "last_event_id": LAST_EVENT}
            )
