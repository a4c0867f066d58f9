"""Writing an order, seeing its schedule, and placing it once."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import wait_until
from tests.web.axe import look
from tests.web.conftest import Web, until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.usefixtures("console_is_clean")

MARKUP = "<img src=x onerror=\"document.title='run'\"> leg 2"


def write(page: "Page", instrument: str = "NSE:INFY", quantity: str = "100", slices: str = "4") -> None:
    page.get_by_label("Instrument", exact=True).fill(instrument)
    page.get_by_label("Quantity", exact=True).fill(quantity)
    page.get_by_label("Slices", exact=True).fill(slices)


def review(page: "Page") -> None:
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Review").wait_for()


def tab_to(page: "Page", selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never comes to {selector}")


def test_an_order_by_keyboard_alone_is_the_one_that_was_shown(page_as: "Callable[..., Page]", stack: Web) -> None:
    page, trader = page_as("trader"), stack.users["trader"]
    keys = page.keyboard
    page.locator(".blotter").wait_for()
    keys.press("n")
    page.get_by_role("dialog").wait_for()
    tab_to(page, "#ticket-instrument")
    keys.type("RELI")
    page.get_by_role("option", name="NSE:RELIANCE").wait_for()
    while page.get_by_role("option", selected=True).filter(has_text="NSE:RELIANCE").count() == 0:
        keys.press("ArrowDown")
    keys.press("Enter")
    tab_to(page, "#ticket-quantity")
    keys.type("1,00,000")
    tab_to(page, "#ticket-slices")
    keys.press("Control+a")
    keys.type("20")
    page.get_by_role("img", name="20 slices of").wait_for()
    keys.press("Enter")
    page.get_by_role("heading", name="Review").wait_for()
    said = page.locator(".review-sentence").inner_text()
    assert "Buy 1,00,000 NSE:RELIANCE" in said
    assert "PAPER" in said
    shown = page.locator(".review tbody tr td:last-child").all_text_contents()
    tab_to(page, "[data-place]")
    keys.press("Enter")

    page.get_by_role("button", name="Open", exact=True).wait_for()
    [order] = trader.ask("GET", "/orders", params={"instrument": "NSE:RELIANCE", "limit": 1})["orders"]
    path = f"/orders/{order['order_id']}/slices"
    wait_until(lambda: len(trader.ask("GET", path)["slices"]) == 20, 20, "it is split")
    planned = [one["planned_quantity"] for one in trader.ask("GET", path)["slices"]]
    assert planned == [int(quantity.replace(",", "")) for quantity in shown]


def test_placing_twice_is_one_order(page_as: "Callable[..., Page]", stack: Web) -> None:
    """The first answer is lost, and the page is loaded again: its key is the same."""
    user = stack.new_user("trader")
    page = page_as(user, "/app/new")
    lost: list[dict[str, object]] = []

    def lose(route: "Route") -> None:
        lost.append(json.loads(route.request.post_data or "{}"))
        if len(lost) == 1:
            route.fetch()
        route.abort()

    page.route("**/api/orders", lose)
    write(page)
    review(page)
    page.locator("[data-place]").click()
    page.get_by_text("cannot be placed twice").wait_for()
    page.reload()
    page.unroute("**/api/orders")
    review(page)
    page.locator("[data-place]").click()
    page.get_by_text("The order that was placed with this form").or_(page.locator(".order-head")).wait_for()

    [order] = user.ask("GET", "/orders")["orders"]
    assert {one["order_unique_key"] for one in lost} == {order["order_unique_key"]}


def test_a_note_with_markup_stays_text(page_as: "Callable[..., Page]") -> None:
    page = page_as("trader", "/app/new")
    write(page)
    page.get_by_label("Note").fill(MARKUP)
    review(page)
    page.locator(".review").get_by_text(MARKUP).wait_for()
    page.locator("[data-place]").click()
    page.wait_for_url("**/app/orders/ord_*")
    page.get_by_text(MARKUP).first.wait_for()
    assert page.locator("main img[src]").count() == 0
    assert page.title() != "run"


def test_a_refusal_stands_at_its_field_and_the_draft_survives_a_reload(page_as: "Callable[..., Page]") -> None:
    page = page_as("trader", "/app/new")
    write(page, quantity="2", slices="4")
    page.locator("#ticket-quantity[aria-invalid=true]").wait_for()
    page.get_by_role("button", name="Review").click()
    assert page.get_by_role("heading", name="Review").count() == 0
    page.reload()
    until(page, "() => document.querySelector('#ticket-quantity')?.value === '2'")
    assert page.get_by_label("Instrument", exact=True).input_value() == "NSE:INFY"


def test_with_real_money_a_large_quantity_is_typed_once_more(page_as: "Callable[..., Page]") -> None:
    page = page_as("trader", "/app")

    def as_live(route: "Route") -> None:
        answer = route.fetch()
        accounts = [{**one, "is_live": True} for one in answer.json()["broker_accounts"]]
        route.fulfill(response=answer, json={"broker_accounts": accounts})

    page.route("**/api/broker-accounts", as_live)
    page.goto("/app/new")
    write(page, quantity="90000")
    review(page)
    page.get_by_text("LIVE: real money").wait_for()
    place = page.locator("[data-place]")
    assert place.is_disabled()
    page.get_by_label("Type the quantity once more").fill("9000")
    assert place.is_disabled()
    page.get_by_label("Type the quantity once more").fill("90000")
    assert place.is_enabled()


def test_a_halt_refuses_a_new_order_and_its_receipt_is_live(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.new_user("trader")
    user.place(instrument="NSE:WIPRO")
    page = page_as(user, "/app/halt")
    page.get_by_label("Why").fill("prices make no sense")
    page.get_by_label("Only this instrument").fill("NSE:WIPRO")
    held = page.get_by_role("button", name="Halt: hold for a second")
    held.click()
    assert page.locator("[data-halt]").count() == 0, "a short press does nothing"
    page.get_by_label("or type HALT").fill("halt")
    page.get_by_role("button", name="Halt", exact=True).click()
    receipt = page.locator("[data-halt]")
    receipt.get_by_text("Quiet").wait_for()
    receipt.get_by_text("Held until the release").wait_for()

    page.goto("/app/new")
    write(page, "NSE:WIPRO")
    page.get_by_text("No new order is taken while this halt is in force").wait_for()
    assert page.get_by_role("button", name="Review").is_disabled()

    page.goto("/app/halt")
    receipt.get_by_role("button", name="Release...").click()
    page.get_by_role("button", name="Release", exact=True).click()
    receipt.get_by_text("released", exact=False).first.wait_for()
    assert user.ask("GET", "/halts", params={"in_force": "true"})["halts"] == []


@pytest.mark.parametrize("by", ["finger", "key"])
def test_a_button_held_for_a_second_halts_once_it_says_why(page_as: "Callable[..., Page]", stack: Web, by: str) -> None:
    user = stack.new_user("trader")
    page = page_as(user, "/app/halt")
    held = page.get_by_role("button", name="Halt: hold for a second")
    press, leave = (page.mouse.down, page.mouse.up) if by == "finger" else (_key_down(page), _key_up(page))
    held.focus()
    held.hover()
    press()
    page.get_by_role("alert").get_by_text("Say why").first.wait_for()
    leave()
    page.get_by_label("Why").fill("prices make no sense")
    held.focus()
    held.hover()
    press()
    page.locator("[data-halt]").wait_for()
    leave()
    [halt] = user.ask("GET", "/halts", params={"in_force": "true"})["halts"]
    user.ask("POST", f"/halt/{halt['halt_id']}/release")


def _key_down(page: "Page") -> "Callable[[], None]":
    return lambda: page.keyboard.down("Enter")


def _key_up(page: "Page") -> "Callable[[], None]":
    return lambda: page.keyboard.up("Enter")


def test_an_order_is_amended_after_its_change_was_shown(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.users["trader"]
    order_id = user.place(instrument="NSE:TCS", client_note="leg 1")
    wait_until(lambda: user.ask("GET", f"/orders/{order_id}")["status"] == "IN_PROGRESS", 20, "it is worked")
    page = page_as("trader", f"/app/orders/{order_id}")
    page.get_by_role("button", name="Amend...").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Quantity").fill("80")
    sheet.get_by_label("Note").fill("leg 2")
    found = look(page, "amend", "dialog[open]")
    sheet.get_by_role("button", name="Review the change").click()
    found += look(page, "review of a change", "dialog[open]")
    assert sheet.locator("tbody tr").all_inner_texts() == ["Quantity\t100\t80", "Note\tleg 1\tleg 2"]
    sheet.get_by_role("button", name="Amend the order").click()
    sheet.wait_for(state="detached")
    now = user.ask("GET", f"/orders/{order_id}")
    assert (now["total_quantity"], now["client_note"]) == (80, "leg 2")
    assert found == []


def test_who_may_not_trade_has_no_ticket(page_as: "Callable[..., Page]") -> None:
    page = page_as("viewer", "/app/new")
    page.get_by_text("can look, not trade. Orders are placed by").wait_for()
    assert page.get_by_role("button", name="Review").count() == 0
