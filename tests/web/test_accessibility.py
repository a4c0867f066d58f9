"""Every page in light and dark, wide and narrow: no violation of WCAG 2.2 A and AA that axe can find.

The states of a page are looked at where they are brought about: every call of `look`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.web.axe import look
from tests.web.conftest import Web

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.usefixtures("console_is_clean")


def test_the_pages_of_an_operator(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.users["operator"]
    order_id = user.place(instrument="NSE:HDFCBANK", client_note="<b>leg</b>")
    page = page_as("operator")
    page.locator(".grid-row").first.wait_for()
    found = look(page, "orders")
    page.keyboard.press("?")
    found += look(page, "keys")
    page.keyboard.press("Escape")
    page.goto(f"/app/orders/{order_id}")
    page.locator(".order-head").wait_for()
    found += look(page, "order")
    page.get_by_role("button", name="Cancel...").first.click()
    found += look(page, "cancel")
    page.keyboard.press("Escape")
    page.goto("/app/halt")
    page.get_by_label("Why").wait_for()
    found += look(page, "halt")
    page.goto("/app/orders/ord_01ARZ3NDEKTSV4RRFFQ69G5FAV")
    page.get_by_text("No such order").wait_for()
    found += look(page, "no such order")
    assert found == []


def test_what_needs_a_person(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.new_user("trader")
    stack.scenario({"fault": "reject", "instrument": "NSE:ITC", "count": 1, "message": "Insufficient funds."})
    user.place(instrument="NSE:ITC")
    page = page_as("operator", "/app/attention")
    page.locator("ol.attention li").first.wait_for()
    stack.scenario()
    page.get_by_role("button", name="Note").first.click()
    assert look(page, "attention") == []


def test_the_ticket(page_as: "Callable[..., Page]") -> None:
    page = page_as("trader", "/app/new")
    page.get_by_label("Instrument", exact=True).fill("REL")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    found = look(page, "search")
    page.keyboard.press("Enter")
    page.get_by_label("Quantity", exact=True).fill("2")
    page.locator("#ticket-quantity[aria-invalid=true]").wait_for()
    page.get_by_text("Market closed, catching up").click()
    found += look(page, "refused ticket")
    page.get_by_label("Quantity", exact=True).fill("400")
    page.get_by_role("img", name="10 slices of").wait_for()
    found += look(page, "ticket")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("heading", name="Review").wait_for()
    found += look(page, "review")
    assert found == []


def test_the_account_of_an_admin_and_the_login(page_as: "Callable[..., Page]") -> None:
    page = page_as("admin", "/app/account")
    page.locator("#users").get_by_role("button", name="Change viewer").first.click()
    page.locator("#users").get_by_role("button", name="Change the limits").click()
    page.locator("#keys").get_by_role("button", name="New key").click()
    page.locator("#broker-accounts table").wait_for()
    found = look(page, "account")
    page.get_by_role("button", name="Log out", exact=True).click()
    page.locator("form.login").wait_for()
    found += look(page, "login")
    assert found == []
