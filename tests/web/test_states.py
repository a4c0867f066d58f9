"""What the page shows when things are not as they should be, and that axe finds nothing wrong with it."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from api_contract.shapes import alarms, halts
from tests.support.processes import wait_until
from tests.web import samples
from tests.web.axe import look
from tests.web.conftest import Web, until
from tests.web.feeds import LAST_EVENT, REQUEST_ID, Listing, feed_by_hand, refusal, tell

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = pytest.mark.usefixtures("console_is_clean")

PageAs = Callable[..., "Page"]
NewContext = Callable[..., "BrowserContext"]

# The waits until the stream is tried again, as they are chosen; until each is read the page's clock goes on.
MOMENTS = 100
WAITS = """async () => {
  const main = document.querySelector("script[src$='main.js']").src;
  const { stream } = await import(main.replace("main.js", "stream.js"));
  globalThis.waits = [];
  stream.onState(() => stream.state === "reconnecting" && waits.push(stream.retryAt - Date.now()));
}"""


@pytest.fixture
def listing() -> Listing:
    return Listing()


@pytest.fixture
def context(new_context: NewContext, listing: Listing) -> "Iterator[BrowserContext]":
    """A browser whose clock, stream and listing of orders are the test's."""
    made = new_context()
    made.clock.install()
    feed_by_hand(made)
    listing.serve(made)
    yield made
    listing.answer_now()


def is_live(page: "Page") -> None:
    page.locator("[data-state=live]").wait_for()


def test_loading_empty_and_refused_orders_are_told_from_each_other(
    page_as: PageAs, context: "BrowserContext", listing: Listing
) -> None:
    listing.is_late = True
    page = page_as("trader", context=context)
    page.get_by_text("Loading orders").wait_for()
    assert page.get_by_role("grid", name="Orders").is_visible(), "the frame is there at once"
    page.clock.fast_forward(2100)
    page.get_by_text("pulse answers slowly").wait_for()
    found = look(page, "loading")

    listing.answer_now()
    page.get_by_text("No working orders.").wait_for()
    page.get_by_role("main").get_by_role("button", name="New order").wait_for()
    found += look(page, "empty")
    page.get_by_label("Filter").fill("nothing like it")
    page.get_by_text("None match.").wait_for()
    found += look(page, "empty with a filter")
    listing.orders = [samples.order(number) for number in range(3)]
    page.get_by_role("button", name="Clear").click()
    rows = page.locator(".grid-row:not([hidden])")
    rows.first.wait_for()

    listing.refused = refusal(504, "pulse did not answer in time")
    page.get_by_role("button", name="Working").click()
    strip = page.locator(".blotter > .strip")
    strip.get_by_text("pulse did not answer in time").wait_for()
    strip.get_by_text(REQUEST_ID).wait_for()
    assert rows.count() == 3, "the last good table stays"
    assert "pulse did not answer in time" in (page.locator("#assertive").text_content() or "")
    found += look(page, "refused by the server")
    listing.refused = None
    strip.get_by_role("button", name="Try again").click()
    strip.wait_for(state="hidden")

    listing.refused = refusal(429, "too many requests", "RATE_LIMITED", Retry_After="7")
    page.get_by_role("button", name="Working").click()
    strip.get_by_text("Again in 7").wait_for()
    listing.refused = None
    page.clock.fast_forward(7100)
    strip.wait_for(state="hidden")
    assert found == []


def test_a_gap_in_the_events_has_everything_read_again_and_says_nothing(
    page_as: PageAs, context: "BrowserContext", listing: Listing
) -> None:
    listing.orders = [samples.order(1)]
    page = page_as("trader", context=context)
    is_live(page)
    page.locator(".grid-row:not([hidden])").first.wait_for()
    tell(page, LAST_EVENT + 1)
    before = listing.whole

    tell(page, LAST_EVENT + 3)
    listing.orders = [samples.order(1), samples.order(2)]
    # What the page asks for is answered by this thread, while it asks the page something.
    wait_until(lambda: page.evaluate("() => true") and listing.whole > before, 20, "it is read again")
    tell(page, LAST_EVENT + 7)
    page.get_by_text("2 shown").or_(page.get_by_text("1 new order: show")).first.wait_for()
    assert page.locator("#strip > *, .toast, .blotter > .strip:not([hidden])").count() == 0
    is_live(page)


def test_figures_of_a_silent_and_of_a_broken_stream_grow_old_and_commands_still_go_out(
    page_as: PageAs, context: "BrowserContext", listing: Listing
) -> None:
    listing.orders = [samples.order(number, status="IN_PROGRESS", held=None) for number in (1, 2)]
    page = page_as("trader", context=context)
    is_live(page)
    page.locator(".grid-row:not([hidden])").first.wait_for()
    listing.is_away = True
    page.clock.fast_forward(21_000)
    page.get_by_text(re.compile("silent, figures 2[0-9] s old")).wait_for()
    until(page, "() => Number(getComputedStyle(document.getElementById('page')).opacity) < 1")
    assert page.locator(".grid-row:not([hidden])").count() == 2, "they stay, and can be read"
    found = look(page, "stale")

    page.clock.fast_forward(10_000)
    until(page, "() => resumedAfter.length === 2")
    assert page.evaluate("() => resumedAfter") == ["", str(LAST_EVENT)]
    is_live(page)
    until(page, "() => !document.documentElement.hasAttribute('data-old')")

    page.evaluate(WAITS)
    page.evaluate("() => { globalThis.isDown = true; hangUp(); }")
    for tries in range(1, 8):
        until(page, "(tries) => waits.length >= tries", tries)
        page.clock.fast_forward(16_000)
    longest = (500, 1000, 2000, 4000, 8000, 15_000, 15_000)
    for wait, most in zip(page.evaluate("() => waits"), longest, strict=False):
        assert most / 2 - MOMENTS <= wait <= most, "doubled each time, and spread"
    page.locator(".connection").get_by_text("reconnecting, figures").wait_for()
    found += look(page, "disconnected")

    page.get_by_role("grid", name="Orders").focus()
    page.keyboard.press("x")
    page.get_by_role("dialog").get_by_text("These figures are").wait_for()
    found += look(page, "cancel, with old figures", "dialog[open]")
    page.keyboard.press("Escape")
    for key in (" ", "ArrowDown", " ", "x"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="Cancel 2 orders?").wait_for()
    page.get_by_role("dialog").get_by_text("These figures are").wait_for()
    found += look(page, "cancel several", "dialog[open]")
    page.keyboard.press("Escape")

    page.route("**/pause", lambda route: route.fulfill(json=listing.orders[0] | {"status": "PAUSED"}))
    with page.expect_request("**/pause"):
        page.keyboard.press("p")
    page.locator(".toast").get_by_text("paused").wait_for()
    found += look(page, "a toast")
    page.evaluate("() => { globalThis.isDown = false; }")
    listing.is_away = False
    page.clock.fast_forward(16_000)
    is_live(page)
    assert found == []


def test_a_command_shows_no_result_before_the_answer_and_a_refusal_where_it_was_given(
    page_as: PageAs, context: "BrowserContext"
) -> None:
    order = samples.order(1, status="IN_PROGRESS", held=None)
    samples.show_order(context, order, samples.slices(order, 10))
    asked: list[Route] = []
    context.route("**/pause", lambda route: asked.append(route))
    page = page_as("trader", f"/app/orders/{order['order_id']}", context=context)
    state = page.locator(".order-head .state")
    page.get_by_role("button", name="Pause").press("Enter")

    under = page.get_by_role("button", name="Pausing...")
    under.wait_for()
    assert under.is_disabled()
    assert "In progress" in state.inner_text()
    wait_until(lambda: page.evaluate("() => true") and bool(asked), 20, "the server is asked")
    page.clock.fast_forward(5100)
    page.get_by_role("button", name="Pausing... still waiting").wait_for()
    found = look(page, "command sent")

    order["status"], order["finished_at"] = "CANCELLED", order["updated_at"]
    said = {"error": {"code": "INVALID_STATE", "message": "it has ended", "details": {"status": "CANCELLED"}}}
    asked[0].fulfill(status=409, json=said)
    refused = page.get_by_role("alert").filter(has_text="it has ended")
    refused.get_by_text("status: CANCELLED").wait_for()
    state.get_by_text("Cancelled").wait_for()
    assert page.evaluate("() => document.activeElement.textContent") == "Pause"
    found += look(page, "refused command")
    assert found == []


def test_an_order_that_cannot_be_read_says_why_and_keeps_what_was_read(
    page_as: PageAs, context: "BrowserContext"
) -> None:
    order = samples.order(1)
    samples.show_order(context, order, samples.slices(order, 10))
    path = f"**/api/orders/{order['order_id']}"
    waiting: list[Route] = []

    def hold(route: "Route") -> None:
        waiting.append(route)

    def refuse(route: "Route") -> None:
        route.fulfill(**refusal(503, "pulse is not ready"))

    context.route(path, hold)
    page = page_as("trader", f"/app/orders/{order['order_id']}", context=context)
    page.get_by_text("Loading the order").wait_for()
    page.clock.fast_forward(2100)
    page.get_by_text("Loading the order: pulse answers slowly").wait_for()
    found = look(page, "loading an order")

    context.unroute(path, hold)
    for route in waiting:
        route.fallback()
    page.locator(".order-head").wait_for()
    context.route(path, refuse)
    is_live(page)
    tell(page, LAST_EVENT + 1, order_id=order["order_id"])
    strip = page.get_by_role("alert").filter(has_text="pulse is not ready")
    strip.get_by_text(REQUEST_ID).wait_for()
    assert page.locator(".order-head").is_visible()
    found += look(page, "an order that is not read")
    context.unroute(path, refuse)
    page.get_by_role("button", name="Try again").click()
    page.clock.fast_forward(3000)
    strip.wait_for(state="detached")
    assert found == []


def test_a_halt_and_alarms_are_seen_on_every_page(
    page_as: PageAs, context: "BrowserContext", listing: Listing, stack: Web
) -> None:
    me = stack.users["operator"].ask("GET", "/me")["account_id"]
    halt = halts.EXAMPLES["Halt"] | {"status": "ACTIVE", "reason": "prices make no sense", "made_by": me}
    alarm = alarms.EXAMPLES["Alarm"] | {
        "status": "OPEN",
        "order_id": None,
        "slice_id": None,
        "code": "UNEXPLAINED_ORDERS",
    }
    theirs = halt | {"halt_id": f"{halt['halt_id'][:-1]}5", "made_by": "acc_01", "made_by_name": "meera"}
    in_force = {"halts": [halt, theirs | {"account_name": "ravi"}], "next_cursor": None}
    context.route("**/api/halts?*", lambda route: route.fulfill(json=in_force))
    told: list[dict[str, Any]] = []
    context.route(
        "**/api/alarms?*", lambda route: route.fulfill(json={"alarms": _of(route, told), "next_cursor": None})
    )
    found = []
    page = page_as("operator", context=context)
    for path in ("/app", "/app/new", "/app/attention", "/app/account", "/app/halt"):
        page.goto(path)
        band = page.locator(".halt-band")
        band.get_by_text("by you at").wait_for()
        assert "prices make no sense" in band.first.inner_text()
        band.get_by_text("HALTED ravi, paper, by meera at").wait_for()
    found += look(page, "halted")
    page.get_by_label("Halt of broker account paper, orders of ravi").get_by_text("by meera, since").wait_for()
    page.get_by_role("button", name="Release...").first.click()
    found += look(page, "release", "dialog[open]")
    page.keyboard.press("Escape")

    told.append(alarm)
    page.clock.fast_forward(16_000)
    page.get_by_role("link", name="Attention 1").wait_for()
    until(page, "() => document.getElementById('assertive').textContent.startsWith('Alarm: ')")
    page.get_by_role("link", name="Attention 1").click()
    page.locator("li[data-kind=alarm]").wait_for()
    found += look(page, "alarms")
    assert found == []


def _of(route: "Route", told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return told if "status=OPEN" in route.request.url else []


def test_who_may_only_look_is_told_so(page_as: PageAs, context: "BrowserContext", listing: Listing) -> None:
    listing.orders = [samples.order(1)]
    page = page_as("viewer", context=context)
    page.locator("#header").get_by_text("viewer: can look, not trade").wait_for()
    page.locator(".grid-row:not([hidden])").first.wait_for()
    assert page.get_by_role("link", name="New order").count() == 0
    page.get_by_role("button", name="csv").wait_for()
    assert look(page, "read-only") == []


def test_a_login_over_an_open_sheet_keeps_what_was_typed(page_as: PageAs, stack: Web) -> None:
    user = stack.new_user("trader")
    page = page_as(user)
    page.locator(".blotter").wait_for()
    page.keyboard.press("n")
    sheet = page.get_by_role("dialog", name="New order")
    sheet.get_by_label("Quantity", exact=True).fill("4321")
    sheet.get_by_label("Note").fill("leg 2")
    account = user.ask("GET", "/me")["account_id"]
    stack.users["admin"].ask("POST", f"/admin/users/{account}/logout")
    page.get_by_text("You are logged out.").wait_for()
    assert sheet.is_visible(), "what was open stays in sight"
    dimmed = "() => getComputedStyle(document.querySelector('#login dialog'), '::backdrop').backgroundColor"
    assert page.evaluate(dimmed) not in ("rgba(0, 0, 0, 0)", "transparent")
    found = look(page, "login over a sheet", "#login dialog")

    page.get_by_label("Username").fill(user.username)
    page.locator("form.login").get_by_label("Password").fill(user.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.locator("form.login").wait_for(state="detached")
    assert sheet.get_by_label("Quantity", exact=True).input_value() == "4321"
    assert sheet.get_by_label("Note").input_value() == "leg 2"
    assert found == []
