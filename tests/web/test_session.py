"""Logging in with the page."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import Web

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.usefixtures("console_is_clean")


def test_a_person_logs_in_and_is_logged_in_after_a_reload(
    new_context: "Callable[..., BrowserContext]", stack: Web
) -> None:
    page, user = new_context().new_page(), stack.users["trader"]
    page.goto("/app")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Username or password is wrong.").wait_for()

    page.get_by_label("Password").fill(user.password)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name=user.username).wait_for()
    page.reload()
    page.get_by_role("link", name=user.username).wait_for()
    assert page.get_by_label("Password").count() == 0


def test_it_opens_for_every_role(page_as: "Callable[..., Page]", stack: Web) -> None:
    for role in ("viewer", "trader", "operator", "admin"):
        page = page_as(role)
        page.locator("[data-state=live]").wait_for()
