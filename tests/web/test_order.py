"""The page of one order: its figures, chart and slices, and what is asked before something is done."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import wait_until
from tests.web import samples
from tests.web.conftest import User, Web

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.usefixtures("console_is_clean")

PageAs = Callable[..., "Page"]
BUSY = {"num_splits": 100, "duration_minutes": 3}


@pytest.fixture
def trader(stack: Web) -> User:
    return stack.users["trader"]


def figure(page: "Page", name: str) -> int:
    text = page.locator(f".figures [data-figure={name}]").last.text_content() or ""
    return int(text.replace(",", "").strip())


def test_it_shows_where_the_shares_are_and_draws_few_rows(page_as: PageAs, trader: User) -> None:
    split = {"num_splits": 100, "duration_minutes": 60}
    order = trader.place(total_quantity=1_00_000, split_config=split)
    wait_until(lambda: trader.ask("GET", f"/orders/{order}")["filled_quantity"] == 1000, 20, "the first fill")
    page = page_as(trader, f"/app/orders/{order}")
    page.get_by_role("grid", name="Slices").wait_for()

    assert figure(page, "filled") == 1000
    late = page.locator(".figures [data-figure=late]").text_content() or ""
    assert re.fullmatch(r"last (\d+ ms), p95 \1, worst \1", late.strip())
    assert figure(page, "unsent") == 99_000
    drawn = page.get_by_role("img", name=re.compile("^Of 1,00,000, [1-3],000 are planned by now and [1-3],000 filled"))
    assert drawn.count() == 1
    grid = page.get_by_role("grid", name="Slices")
    assert grid.get_attribute("aria-rowcount") == "101"
    assert grid.locator(".grid-row").count() < 40
    grid.press("End")
    page.locator(".grid-row:not([hidden]) .column-number", has_text=re.compile("^100$")).wait_for()
    assert page.locator(f"#{grid.get_attribute('aria-activedescendant')}").count() == 1


def test_a_thousand_slices_scroll_with_few_rows(page_as: PageAs, new_context: Callable[..., "BrowserContext"]) -> None:
    context, order = new_context(), samples.order(1, total_quantity=1_00_000)
    samples.show_order(context, order, samples.slices(order, 1000))
    page = page_as("trader", f"/app/orders/{order['order_id']}", context=context)
    grid = page.get_by_role("grid", name="Slices")
    page.locator(".grid-row:not([hidden])").first.wait_for()
    for top, number in ((0.5, "500"), (1, "1000")):
        grid.evaluate("(grid, top) => { grid.scrollTop = top * grid.scrollHeight; }", top)
        page.locator(".grid-row:not([hidden]) .column-number", has_text=re.compile(f"^{number}$")).wait_for()
        assert page.locator(".grid-row").count() < 40


def test_a_cancel_says_what_is_filled_now(page_as: PageAs, trader: User) -> None:
    order = trader.place(total_quantity=600, split_config=BUSY)
    page = page_as(trader, f"/app/orders/{order}")
    page.get_by_role("button", name="Cancel...").click()
    page.get_by_role("dialog").wait_for()
    before = figure(page, "filled")

    wait_until(lambda: figure(page, "filled") > before, 20, "the dialog shows a fill")

    assert page.get_by_role("button", name="Keep it").evaluate("(button) => button === document.activeElement")
    page.get_by_role("button", name="Keep it").click()
    assert trader.ask("GET", f"/orders/{order}")["status"] == "IN_PROGRESS"
    trader.ask("DELETE", f"/orders/{order}")


def test_a_pause_takes_one_step_and_so_does_going_on(page_as: PageAs, trader: User) -> None:
    order = trader.place()
    page = page_as(trader, f"/app/orders/{order}")
    page.get_by_role("button", name="Pause").click()
    page.locator(".order-head .state", has_text="Paused").wait_for()

    page.locator(".toast").get_by_role("button", name="Resume").click()
    page.locator(".order-head .state", has_text="In progress").wait_for()
    page.get_by_role("button", name="By person").click()
    page.get_by_text("pause was asked for").wait_for()
    assert page.locator(".events .who", has_text=trader.username).count() >= 2


def test_a_refusal_stands_at_the_button_with_its_details(page_as: PageAs, trader: User) -> None:
    order = trader.place()
    page = page_as(trader, f"/app/orders/{order}")
    said = {"error": {"code": "INVALID_STATE", "message": "it has ended", "details": {"status": "DONE"}}}
    page.route("**/pause", lambda route: route.fulfill(status=409, json=said))
    page.get_by_role("button", name="Pause").click()

    refusal = page.get_by_role("alert").filter(has_text="it has ended")
    refusal.get_by_text("status: DONE").wait_for()
    page.locator(".order-head .state", has_text="In progress").wait_for()


def test_a_lost_answer_is_asked_for_again_with_the_same_key(page_as: PageAs, trader: User) -> None:
    order = trader.place()
    page = page_as(trader, f"/app/orders/{order}")
    keys: list[str] = []

    def lose_the_first(route: "object") -> None:
        keys.append(route.request.headers["idempotency-key"])  # type: ignore[attr-defined]
        if len(keys) == 1:
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    page.route("**/pause", lose_the_first)
    page.get_by_role("button", name="Pause").click()
    page.locator(".order-head .state", has_text="Paused").wait_for()
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_an_operator_sends_a_refused_slice_again(page_as: PageAs, stack: Web, trader: User) -> None:
    stack.scenario({"fault": "reject", "instrument": "NSE:SBIN", "count": 1, "message": "Invalid order"})
    order = trader.place(instrument="NSE:SBIN")
    wait_until(lambda: trader.ask("GET", f"/orders/{order}")["slices"].get("REJECTED"), 20, "a slice is refused")
    page = page_as("operator", f"/app/orders/{order}")
    page.get_by_role("button", name="Retry...").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Invalid order").wait_for()
    dialog.get_by_role("button", name="Send 20 again").click()

    wait_until(lambda: trader.ask("GET", f"/orders/{order}")["filled_quantity"] == 20, 20, "the slice is filled")
    page.get_by_role("button", name="Retry...").wait_for(state="detached")


def test_an_order_that_is_not_there_leads_back(page_as: PageAs) -> None:
    page = page_as("trader", "/app/orders/ord_01M83SKD9WDSW3C497FJ90J252")
    page.get_by_text("No such order, or not yours.").wait_for()
    page.get_by_role("main").get_by_role("link", name="Orders").click()
    page.get_by_label("Filter").wait_for()
