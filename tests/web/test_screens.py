"""Six states of the page against kept pictures. PULSE_KEEP_SCREENS=1 keeps the pictures of this run instead.

What tells the time is masked; of the rest two of a hundred pixels may differ, as fonts do from machine to machine.
"""

import base64
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.web import samples

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.usefixtures("console_is_clean")

KEPT = Path(__file__).with_name("screens")
TOLERANCE = 0.02
CLOCKS = (
    ".column-time, .column-next, .column-planned, .column-sent, .events time, .order-terms,"
    " .chart text, .chart-readout, dl.figures, .blotter-foot"
)

FRAMELESS = """() => {
  for (const name of ["header", "footer"]) document.getElementById(name).hidden = true;
}"""

LOCAL_TIME = """
  if (location.protocol === "http:") localStorage.setItem("pulse.settings", JSON.stringify({ zone: "local" }));
"""

# The share of pixels of which a channel differs by more than a shade.
COMPARE = """async ([one, other]) => {
  const pixels = async (data) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${data}`)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await pixels(one), await pixels(other)];
  if (a.width !== b.width || a.height !== b.height) return 1;
  let different = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    if ([0, 1, 2].some((channel) => Math.abs(a.data[at + channel] - b.data[at + channel]) > 24)) different += 1;
  }
  return different / (a.width * a.height);
}"""


@pytest.fixture
def is_as_kept(new_context: "Callable[..., BrowserContext]", tmp_path: Path) -> "Callable[[Page, str], None]":
    def check(page: "Page | Locator", name: str) -> None:
        masks = [page.locator(CLOCKS)]
        # Who is logged in, and what the time is, take more or less room.
        page.evaluate(FRAMELESS)
        seen = page.screenshot(mask=masks, mask_color="#888888", animations="disabled")
        kept = KEPT / f"{name}.png"
        if os.environ.get("PULSE_KEEP_SCREENS"):
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(seen)
        encoded = [base64.b64encode(one).decode() for one in (seen, kept.read_bytes())]
        difference = new_context().new_page().evaluate(COMPARE, encoded)
        (tmp_path / kept.name).write_bytes(seen)
        assert difference <= TOLERANCE, f"{100 * difference:.1f} % of the pixels differ: {tmp_path / kept.name}"

    return check


@pytest.fixture
def at_noon(new_context: "Callable[..., BrowserContext]") -> "Callable[..., BrowserContext]":
    """A browser for which it is noon: no time is of yesterday, and needs room for its date."""

    def start(width: int, theme: str) -> "BrowserContext":
        context = new_context(width, theme, timezone_id=f"Etc/GMT{datetime.now(UTC).hour - 12:+d}")
        context.add_init_script(LOCAL_TIME)
        return context

    return start


@pytest.fixture
def blotter(page_as: Callable[..., "Page"], at_noon: "Callable[..., BrowserContext]") -> "Callable[..., Page]":
    """The blotter with the same orders every time."""

    def show(count: int = 40, width: int = 1280, theme: str = "light") -> "Page":
        context = at_noon(width, theme)
        samples.show_orders(context, [samples.order(number) for number in range(count)])
        page = page_as("trader", context=context)
        page.locator("[data-state=live]").wait_for()
        return page

    return show


def test_the_blotter(blotter: Callable[..., "Page"], is_as_kept: Callable[..., None]) -> None:
    page = blotter()
    # With the focus the first row is the active one already.
    page.locator(".grid-row:not([hidden])").first.wait_for()
    for key in ("j", "j", "j", " "):
        page.keyboard.press(key)
    page.locator("[aria-selected=true]").wait_for()
    is_as_kept(page, "blotter")


def test_the_blotter_in_the_dark(blotter: Callable[..., "Page"], is_as_kept: Callable[..., None]) -> None:
    page = blotter(theme="dark")
    page.locator(".grid-row:not([hidden])").first.wait_for()
    is_as_kept(page, "blotter-dark")


def test_the_blotter_on_a_phone(blotter: Callable[..., "Page"], is_as_kept: Callable[..., None]) -> None:
    page = blotter(width=390)
    page.locator(".grid-row:not([hidden])").first.wait_for()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    is_as_kept(page, "blotter-phone")


def test_no_orders(blotter: Callable[..., "Page"], is_as_kept: Callable[..., None]) -> None:
    page = blotter(count=0)
    page.get_by_text("No working orders.").wait_for()
    is_as_kept(page, "no-orders")


@pytest.mark.parametrize(("theme", "name"), [("light", "order"), ("dark", "cancel-dark")])
def test_an_order(
    page_as: Callable[..., "Page"], at_noon: "Callable[..., BrowserContext]", is_as_kept: Any, theme: str, name: str
) -> None:
    context = at_noon(1280, theme)
    order = samples.order(1, total_quantity=40_000, filled_quantity=16_000)
    order["exposure"] = {"filled": 16_000, "working": 3_000, "on_its_way": 0, "unknown": 1_000, "unsent": 20_000}
    samples.show_order(context, order, samples.slices(order, 40))
    page = page_as("trader", f"/app/orders/{order['order_id']}", context=context)
    page.get_by_text("its slices are being worked").wait_for()
    page.locator("[data-state=live]").wait_for()
    if name == "order":
        is_as_kept(page, name)
        return
    page.keyboard.press("x")
    page.get_by_role("dialog").wait_for()
    is_as_kept(page.get_by_role("dialog"), name)
