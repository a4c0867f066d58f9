"""What the page may cost: bytes, rows, memory, and time of the browser's main thread.

Time is what the thread has used of a processor, not what a clock says. A page gets twice its budget, as other tests
share the caches and the cores.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from gapi_app.web.files import site
from tests.support.processes import wait_until
from tests.web import samples
from tests.web.conftest import PATIENCE_MS, Web, until
from tests.web.feeds import LAST_EVENT, feed_by_hand, tell

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.usefixtures("console_is_clean")

PageAs = Callable[..., "Page"]
ROOM = 2
FIRST_LOAD_BYTES, FIRST_LOAD_FILES = 40_000, 20
SECONDS = 3

# What was asked for until the page showed its orders.
FIRST_LOAD = """() => {
  const [shown] = performance.getEntriesByName("shown");
  const asked = ["navigation", "resource"].flatMap((type) => performance.getEntriesByType(type));
  return asked.filter((one) => one.startTime < shown.startTime).map((one) => {
    const { origin, pathname } = new URL(one.name);
    return { origin, path: pathname, bytes: one.encodedBodySize };
  });
}"""
# Ten thousand rows of twelve columns in a table of its own, and functions that change and scroll it.
TABLE = """async ([count]) => {
  const { Grid } = await import(document.querySelector("script[src$='main.js']").src.replace("main.js", "grid.js"));
  const root = document.createElement("div");
  root.style.height = "640px";
  document.querySelector("#page").replaceChildren(root);
  const text = (place) => (row) => place ? String(row.figure + place) : row.id;
  const column = (place) => ({ name: `c${place}`, label: `C${place}`, width: "1fr", text: text(place) });
  const columns = Array.from({ length: 12 }, (_, place) => column(place));
  const rows = Array.from({ length: count }, (_, index) => ({ id: `row ${index}`, figure: 0 }));
  const grid = Grid({ root, columns, rowHeight: 32, label: "Rows" });
  grid.rows(rows, (row) => row.id);
  const frame = () => new Promise(requestAnimationFrame);
  globalThis.change = async (times, many) => {
    for (let time = 1; time <= times; time += 1) {
      for (let index = 0; index < many; index += 1) {
        grid.changed([{ id: `row ${index % 20}`, figure: 1000 * time + index }]);
      }
      await new Promise((done) => setTimeout(done, 100));
    }
    await frame();
    return root.querySelectorAll(".grid-row").length;
  };
  globalThis.scroll = async (frames) => {
    for (let index = 0; index < frames; index += 1) {
      root.scrollTop = (index * 311) % (count * 32);
      await frame();
    }
  };
}"""


class MainThread:
    """What a page has used of a processor."""

    def __init__(self, page: "Page") -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    @property
    def seconds(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def megabytes(self) -> float:
        self._session.send("HeapProfiler.collectGarbage")
        return float(self._session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


@pytest.fixture
def table(page_as: PageAs) -> "Page":
    page = page_as("viewer")
    page.get_by_label("Filter").wait_for()
    page.evaluate(TABLE, [10_000])
    return page


def test_the_first_load_is_small_and_comes_from_here_alone(page_as: PageAs, stack: Web) -> None:
    page = page_as("trader")
    until(page, "() => performance.getEntriesByName('shown').length > 0")

    loaded = page.evaluate(FIRST_LOAD)
    assert {one["origin"] for one in loaded} == {stack.gapi}
    files = {one["path"]: one["bytes"] for one in loaded if re.fullmatch("/app(/static/.*)?", one["path"])}
    # Not every browser asks for the icon, and none that has it asks again.
    files |= {f"/app/static/{site().digest}/icon.svg": len(site().files["icon.svg"].zipped)}
    assert sum(files.values()) <= FIRST_LOAD_BYTES
    assert len(files) <= FIRST_LOAD_FILES


def test_what_is_used_later_is_there_while_the_server_is_away(page_as: PageAs) -> None:
    page = page_as("trader")
    until(page, "() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/login.js'))")
    page.context.set_offline(True)

    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.get_by_role("dialog", name="New order").wait_for()


def test_six_hundred_orders_are_there_at_little_cost(page_as: PageAs, new_context: Any) -> None:
    context = new_context()
    samples.show_orders(context, [samples.order(number) for number in range(600)])
    page = page_as("trader", context=context)
    page.locator(".blotter .grid-row:not([hidden])").first.wait_for()
    thread = MainThread(page)
    before = thread.seconds
    page.reload()
    until(page, "() => performance.getEntriesByName('shown').length > 0")
    page.locator(".blotter .grid-row:not([hidden])").first.wait_for()
    assert thread.seconds - before <= ROOM * 0.3


def test_the_first_row_waits_for_the_login_and_the_orders_alone(page_as: PageAs) -> None:
    page = page_as("trader")
    until(page, "() => performance.getEntriesByName('shown').length > 0")
    others = re.compile(r"/api/(?!me\b|orders\?status=)")
    page.context.route(others, lambda route: None)
    page.reload()
    until(page, "() => performance.getEntriesByName('shown').length > 0")
    page.context.unroute(others)


def test_the_first_row_is_four_answers_away(page_as: PageAs) -> None:
    """The page, its first script, the login; then the orders, beside who it is."""
    page = page_as("trader")
    until(page, "() => performance.getEntriesByName('shown').length > 0")
    held: dict[str, Route] = {}
    asked: list[str] = []
    for name in ("main.js", "me"):
        page.route(re.compile(f"/{name}$"), lambda route: held.update({urlsplit(route.request.url).path: route}))
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))

    def is_asked(path: str) -> None:
        wait_until(lambda: page.evaluate("() => true") and path in asked, PATIENCE_MS / 1000, f"{path} is asked")

    page.reload(wait_until="commit")
    is_asked("/app/session/refresh")
    assert "/api/me" not in asked[: asked.index("/app/session/refresh")]
    wait_until(lambda: page.evaluate("() => true") and len(held) == 2, PATIENCE_MS / 1000, "who it is, is asked")
    assert "/api/orders" not in asked, "main.js has not come"
    held.pop(f"/app/static/{site().digest}/main.js").continue_()
    is_asked("/api/orders")
    held.pop("/api/me").continue_()
    until(page, "() => performance.getEntriesByName('shown').length > 0")
    first = [path for path in asked if not path.startswith("/app/static/")]
    assert sorted(first[:4]) == ["/api/me", "/api/orders", "/app", "/app/session/refresh"]


def test_an_event_is_in_its_cell_one_small_request_later(page_as: PageAs, new_context: Any) -> None:
    context = new_context()
    feed_by_hand(context)
    order = samples.order(1, status="IN_PROGRESS", held=None)
    told: list[int] = []
    asked: list[str] = []

    def listed(route: "Route") -> None:
        if "changed_after" in route.request.url:
            asked.append(route.request.url)
        route.fulfill(json={"orders": [order], "next_cursor": None, "last_event_id": max(told, default=LAST_EVENT)})

    context.route("**/api/orders?*", listed)
    page = page_as("trader", context=context)
    until(page, "() => document.querySelector('.connection').dataset.state === 'live'")
    page.locator(".column-state", has_text="In progress").wait_for()
    for number, (status, words) in enumerate([("PAUSED", "Paused"), ("IN_PROGRESS", "In progress")] * 2, 1):
        order |= {"status": status, "updated_at": samples.stamp(datetime.now(UTC))}
        told.append(LAST_EVENT + number)
        tell(page, told[-1], order_id=order["order_id"])
        page.locator(".column-state", has_text=words).wait_for()
    assert len(asked) == len(told)


@pytest.mark.parametrize(("changes_a_second", "share"), [(100, 0.10), (1000, 0.15)])
def test_changes_in_sight_leave_the_thread_idle(table: "Page", changes_a_second: int, share: float) -> None:
    thread = MainThread(table)
    before = thread.seconds
    drawn = table.evaluate("([times, many]) => change(times, many)", [10 * SECONDS, changes_a_second // 10])

    assert drawn <= 60
    assert (thread.seconds - before) / SECONDS <= ROOM * share


def test_ten_thousand_rows_scroll_at_little_cost_and_take_little_memory(table: "Page") -> None:
    thread = MainThread(table)
    before = thread.seconds
    table.evaluate("([frames]) => scroll(frames)", [100])

    assert (thread.seconds - before) / 100 <= ROOM * 0.010
    assert thread.megabytes() <= 40


def test_a_live_order_of_a_thousand_slices_leaves_the_thread_idle(page_as: PageAs, new_context: Any) -> None:
    context = new_context()
    order = samples.order(1, total_quantity=100_000)
    changing = samples.show_order(context, order, samples.slices(order, 1000))
    page = page_as("trader", f"/app/orders/{order['order_id']}", context=context)
    page.get_by_role("grid", name="Slices").wait_for()
    thread = MainThread(page)
    before = thread.seconds
    for reading in range(2 * SECONDS):
        changing.append(50 + reading)
        # As after fifty events: the store asks for what has changed.
        page.evaluate(
            """async ([order]) => (await import(document.querySelector("script[src$='main.js']").src
                .replace("main.js", "store.js"))).store.put(order)""",
            [order],
        )
        until(
            page,
            "([late]) => document.querySelector('.grid-row .column-late').textContent === `${late} ms`",
            [changing[-1]],
        )

    assert (thread.seconds - before) / SECONDS <= ROOM * 0.15


def test_a_key_shows_before_anybody_answers(page_as: PageAs, new_context: Any) -> None:
    context = new_context()
    samples.show_orders(context, [samples.order(number) for number in range(20)])
    page = page_as("trader", context=context)
    page.locator(".blotter .grid-row:not([hidden])").first.wait_for()
    # In the turn of the key itself: the next frame shows it.
    assert page.evaluate(
        """() => {
          dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
          return document.querySelector(".grid-row.active") !== null;
        }"""
    )
    page.route("**/pause", lambda route: None)
    page.keyboard.press("p")
    page.locator(".selection").get_by_text("Pausing...").wait_for()


def test_a_key_costs_far_less_than_anybody_notices(page_as: PageAs, new_context: Any) -> None:
    context = new_context()
    samples.show_orders(context, [samples.order(number) for number in range(600)])
    page = page_as("trader", context=context)
    page.locator(".blotter .grid-row:not([hidden])").first.wait_for()
    thread = MainThread(page)
    before = thread.seconds
    for _ in range(20):
        page.keyboard.press("j")
    page.locator(".grid-row.active").wait_for()
    assert (thread.seconds - before) / 20 <= 0.1
