"""What needs a person, and what each person can do about it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from api_contract.alarms import AlarmCode
from tests.support.processes import wait_until
from tests.web.axe import look
from tests.web.conftest import User, Web

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.usefixtures("console_is_clean")

NOTE = "<b>asked</b> the broker"


def refused_order(stack: Web, user: User, instrument: str, message: str) -> str:
    """An order whose first slice the exchange refuses with these words."""
    stack.scenario({"fault": "reject", "instrument": instrument, "count": 1, "message": message})
    order_id = user.place(instrument=instrument)
    wait_until(lambda: needs_somebody(user, order_id), 30, "its first slice is refused")
    stack.scenario()
    return order_id


def needs_somebody(user: User, order_id: str) -> bool:
    order = user.ask("GET", f"/orders/{order_id}")
    return order["held"] is not None or "REJECTED" in order["slices"]


def test_an_operator_sends_a_refused_slice_again_and_a_trader_only_sees_it(
    page_as: "Callable[..., Page]", stack: Web
) -> None:
    trader = stack.new_user("trader")
    order_id = refused_order(stack, trader, "NSE:SBIN", "Invalid <i>order</i>")
    theirs = page_as(trader, "/app/attention")
    theirs.get_by_text("Invalid <i>order</i>").first.wait_for()
    theirs.get_by_text("An operator can send it again").first.wait_for()
    assert theirs.get_by_role("button", name="Send again...").count() == 0

    page = page_as("operator", "/app/attention")
    item = page.locator("li[data-kind=slice]").filter(has=page.locator(f'a[href="/app/orders/{order_id}"]'))
    item.get_by_role("button", name="Send again...").click()
    page.get_by_role("dialog").get_by_role("button", name="Send 20 again").click()
    item.wait_for(state="detached")
    theirs.get_by_text("Nothing needs you").wait_for()
    assert "REJECTED" not in trader.ask("GET", f"/orders/{order_id}")["slices"]


def test_a_slice_in_doubt_is_asked_for_or_settled_by_an_operator_and_never_just_sent_again(
    page_as: "Callable[..., Page]", stack: Web
) -> None:
    trader = stack.new_user("trader")
    stack.scenario({"fault": "ack_lost", "instrument": "NSE:WIPRO", "count": 1}, {"fault": "book_down"})
    order_id = trader.place(instrument="NSE:WIPRO")
    wait_until(lambda: "UNKNOWN" in trader.ask("GET", f"/orders/{order_id}")["slices"], 30, "a slice is in doubt")
    theirs = page_as(trader, "/app/attention")
    theirs.get_by_text("It never just sends it again.").wait_for()
    assert theirs.get_by_role("button", name="Settle...").count() == 0

    page = page_as("operator", "/app/attention")
    item = page.locator("li[data-kind=slice]").filter(has=page.locator(f'a[href="/app/orders/{order_id}"]'))
    item.get_by_text("In doubt").wait_for()
    item.get_by_text("Next: Ask the broker's book now.").wait_for()
    item.get_by_role("button", name="Settle...").click()
    sheet = page.get_by_role("dialog", name="Settle a slice")
    sheet.get_by_label("Shares in all").fill("20")
    sheet.get_by_label("Average price").fill("812.50")
    sheet.get_by_label("How it is known").fill("contract note")
    found = look(page, "settle", "dialog.sheet")
    found += look(page, "settle it so?", settle(page))
    page.get_by_role("button", name="Settle", exact=True).click()
    sheet.get_by_role("alert").wait_for()
    found += look(page, "settle, refused while the book may tell", "dialog.sheet")

    stated: list[object] = []

    def accept(route: "Route") -> None:
        stated.append(route.request.post_data_json)
        route.fulfill(status=202, json={})

    page.route("**/settle", accept)
    settle(page)
    page.get_by_role("button", name="Settle", exact=True).click()
    sheet.wait_for(state="detached")
    assert stated == [{"filled": 20, "price": "812.50", "reason": "contract note"}]
    stack.scenario()
    item.get_by_role("button", name="Ask the broker now").click()
    item.wait_for(state="detached")
    assert "UNKNOWN" not in trader.ask("GET", f"/orders/{order_id}")["slices"]
    assert found == []


def settle(page: "Page") -> str:
    """Ask for what the sheet says, up to the last question; the selector of that."""
    page.get_by_role("dialog", name="Settle a slice").get_by_role("button", name="Settle...").click()
    page.get_by_role("dialog", name="Settle it so?").get_by_text("20 shares at 812.50 are booked.").wait_for()
    return "dialog[open]:not(.sheet)"


def test_an_alarm_is_taken_on_noted_as_text_and_its_order_resumed(page_as: "Callable[..., Page]", stack: Web) -> None:
    trader = stack.new_user("trader")
    message = "Insufficient funds. Required margin is 1000.00 but available margin is 5.00."
    order_id = refused_order(stack, trader, "NSE:TCS", message)
    page = page_as("operator", "/app/attention")
    alarm = page.locator("li[data-kind=alarm]").filter(has=page.locator(f'a[href="/app/orders/{order_id}"]'))
    # Another may be about the same order.
    alarm = alarm.filter(has_text="See to the cause, then resume the order")
    alarm.wait_for()
    alarm.get_by_role("button", name="Acknowledge").click()
    alarm.get_by_text("Taken on by you").wait_for()
    alarm.get_by_role("button", name="Note").click()
    alarm.get_by_label("Note, for whoever looks next").fill(NOTE)
    alarm.get_by_role("button", name="Keep the note").click()
    alarm.get_by_text(f"Note: {NOTE}").wait_for()
    alarm.get_by_role("button", name="Resume").click()
    alarm.wait_for(state="detached")
    assert trader.ask("GET", f"/orders/{order_id}")["held"] is None


def test_every_code_of_an_alarm_has_its_next_step(page_as: "Callable[..., Page]") -> None:
    page = page_as("viewer", "/app/attention")
    site = "() => document.querySelector('script[src*=main]').src.replace('main.js', 'pages/attention/steps.js')"
    known = page.evaluate("async (path) => Object.keys((await import(path)).ALARM_STEPS)", page.evaluate(site))
    assert sorted(known) == sorted(AlarmCode)
    page.get_by_text("Nothing needs you").wait_for()
