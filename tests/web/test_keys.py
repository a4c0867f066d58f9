"""Every key of the page, what can be touched, and widths from a phone to a wall."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.web import samples
from tests.web.conftest import Web, until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.usefixtures("console_is_clean")

PageAs = Callable[..., "Page"]
NewContext = Callable[..., "BrowserContext"]
PLACE = "() => Number(document.querySelector('.grid-row.active')?.getAttribute('aria-rowindex') ?? 0)"
ROWS = 200
PAGES = ("/app", "/app/new", "/app/attention", "/app/account", "/app/halt")
WIDTHS = (390, 600, 700, 1024, 1280, 1920, 2560)

# What is pressed but smaller than it should be, in either direction. A link within a sentence is as high as its line;
# rows and boxes of the table are reached by the whole row.
SMALL = """(least) => [...document.querySelectorAll("a, button, input, select, textarea, summary, [role=option]")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("p, li, dd, [role=grid]"))
  .filter((one) => !one.matches(".visually-hidden, .skip"))
  .map((one) => [(one.matches("[type=checkbox], [type=radio]") && one.closest("label")) || one, one])
  .map(([whole, one]) => [one.outerHTML.slice(0, 100), whole.getBoundingClientRect()])
  .filter(([, box]) => Math.round(box.height) < least || Math.round(box.width) < Math.min(least, 24))
  .map(([text, box]) => `${Math.round(box.width)} x ${Math.round(box.height)}: ${text}`)"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def blotter(page_as: PageAs, new_context: NewContext) -> "Page":
    context = new_context()
    samples.show_orders(context, [samples.order(number) for number in range(ROWS)])
    for number in (0, 1):
        order = samples.order(number)
        samples.show_order(context, order, samples.slices(order, 10))
    page = page_as("trader", context=context)
    page.locator(".grid-row:not([hidden])").first.wait_for()
    return page


def test_keys_go_through_the_rows(blotter: "Page") -> None:
    page, press = blotter, blotter.keyboard.press

    def is_at(row: int) -> None:
        until(page, f"([row]) => ({PLACE})() === row", [row + 1])

    press("j")
    is_at(1)
    for key, row in (("j", 2), ("ArrowDown", 3), ("k", 2), ("ArrowUp", 1), ("End", ROWS), ("Home", 1)):
        press(key)
        is_at(row)
    press("PageDown")
    far = page.evaluate(PLACE)
    assert far > 5
    press("PageUp")
    is_at(1)

    press(" ")
    page.get_by_text("1 selected").wait_for()
    press("Escape")
    page.get_by_text("1 selected").wait_for(state="hidden")
    press(".")
    page.get_by_role("dialog").get_by_role("button", name="Pause").wait_for()
    press("Escape")
    with page.expect_download():
        press("e")
    for key, word in (("2", "Attention"), ("3", "Today"), ("4", "All"), ("1", "Working")):
        press(key)
        page.get_by_role("button", name=word, pressed=True).wait_for()
    press("/")
    page.keyboard.type("key-1jn1")
    assert page.get_by_label("Filter").input_value() == "key-1jn1", "letters in a field are letters"


def test_keys_lead_from_page_to_page(blotter: "Page") -> None:
    page, press = blotter, blotter.keyboard.press
    first, second = samples.order(0)["order_id"], samples.order(1)["order_id"]
    press("n")
    page.get_by_role("dialog", name="New order").wait_for()
    press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    press("j")
    for key, order_id in (("Enter", first), ("]", second), ("[", first)):
        press(key)
        page.wait_for_url(f"**/{order_id}")
        page.get_by_role("button", name="Copy id").and_(page.locator(f"[title={order_id}]")).wait_for()
    press("f")
    page.get_by_role("button", name="Frozen").wait_for()
    press("j")
    until(page, f"() => ({PLACE})() === 2")
    with page.expect_download():
        press("e")
    press("Escape")
    page.get_by_label("Filter").wait_for()
    press("g")
    press("a")
    page.get_by_role("heading", name="Attention").wait_for()
    press("g")
    press("o")
    page.get_by_label("Filter").wait_for()

    press("?")
    page.get_by_role("button", name="Turn single keys off").click()
    press("4")
    press("?")
    assert page.get_by_role("button", name="Working").get_attribute("aria-pressed") == "true"
    page.evaluate("() => localStorage.clear()")


@pytest.mark.parametrize(("width", "least"), [(1280, 24), (390, 44)])
def test_what_is_pressed_is_large_enough_and_no_page_scrolls_sideways(
    page_as: PageAs, new_context: NewContext, stack: Web, width: int, least: int
) -> None:
    user = stack.users["operator"]
    order_id = user.place(instrument="NSE:HDFCBANK", client_note="w" * 150)
    page = page_as(user, width=width)
    found: list[Any] = []
    for path in (*PAGES, f"/app/orders/{order_id}"):
        page.goto(path)
        page.locator("#page :is(.grid-row:not([hidden]), .order-head, h1)").first.wait_for()
        found += [(path, one) for one in page.evaluate(SMALL, least)]
        if width != 1280:
            continue
        for wide in WIDTHS:
            page.set_viewport_size({"width": wide, "height": 800})
            if page.evaluate(SIDEWAYS) > 0:
                found.append((path, f"scrolls sideways at {wide}"))
        page.set_viewport_size({"width": width, "height": 800})
    user.ask("DELETE", f"/orders/{order_id}")
    assert not found, "\n".join(map(str, found))
