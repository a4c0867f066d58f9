"""Logging in with the page, and staying in: in many tabs, over reloads, until somebody logs out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.processes import wait_until
from tests.web.axe import look
from tests.web.conftest import ANOTHER_NAME, Web, log_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

PageAs = Callable[..., "Page"]
NewContext = Callable[..., "BrowserContext"]
REFRESH = "/app/session/refresh"

pytestmark = pytest.mark.usefixtures("console_is_clean")


def refreshes_of(context: "BrowserContext") -> list[str]:
    """Every refresh that is asked for from now on."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url) if request.url.endswith(REFRESH) else None)
    return asked


def is_logged_in(page: "Page") -> bool:
    page.locator("#header nav, form.login").first.wait_for()
    return page.locator("form.login").count() == 0


def test_a_person_logs_in_and_is_still_after_a_reload(new_context: NewContext, stack: Web) -> None:
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
    assert is_logged_in(page)

    kept = page.evaluate(
        "() => [document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)].join()"
    )
    assert "rt_" not in kept
    assert "eyJ" not in kept


def test_an_operator_chooses_the_cell_that_a_tab_shows(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context()
    asked: dict[str, set[str | None]] = {}

    def with_cells(route: "Route") -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"cells": ["mumbai", "delhi"]})

    def in_the_only_cell(route: "Route") -> None:
        headers = dict(route.request.headers)
        asked.setdefault(urlsplit(route.request.url).path, set()).add(headers.pop("pulse-cell", None))
        route.continue_(headers=headers)

    context.route("**/app/session/refresh", with_cells)
    context.route("**/api/**", in_the_only_cell)
    page = page_as("operator", context=context)
    page.locator(".connection", has_text="live").wait_for()
    page.get_by_label("Cell", exact=True).select_option("delhi")
    everybodys = ("/api/orders", "/api/halts", "/api/alarms", "/api/events/all", "/api/installation")

    def is_all_asked() -> bool:
        page.wait_for_timeout(20)
        # What was not asked yet of the one when the other is chosen, is asked of the other alone.
        return all("delhi" in asked.get(path, ()) for path in everybodys)

    wait_until(is_all_asked, 20, "all of the other cell")
    # A new order goes to one's own cell, and would not be seen here.
    page.get_by_role("link", name="Halt").wait_for()
    assert page.get_by_role("link", name="New order").count() == 0
    assert asked["/api/orders"] == {"mumbai", "delhi"}
    assert asked["/api/me"] == {None}


def test_two_tabs_refresh_once_and_reloads_in_between_end_no_login(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context()
    asked = refreshes_of(context)
    first = page_as("trader", context=context)
    second = context.new_page()
    second.goto("/app")
    second.locator("#header nav").wait_for()
    assert len(asked) == 1

    first.evaluate("(path) => { for (const _ of [1, 2, 3]) fetch(path, { method: 'POST' }); }", REFRESH)
    for page in (first, second):
        page.reload()
        assert is_logged_in(page)


def test_logging_out_reaches_every_tab_and_logging_in_again_goes_on_where_one_was(
    page_as: PageAs, new_context: NewContext, stack: Web
) -> None:
    context, user = new_context(), stack.users["trader"]
    first, second = page_as(user, context=context), page_as(user, path="/app/new", context=context)
    second.get_by_label("Quantity").first.fill("4321")
    first.get_by_role("button", name="Log out").click()
    for page in (first, second):
        page.get_by_text("You are logged out.").wait_for()

    second.get_by_label("Password").fill(user.password)
    second.get_by_role("button", name="Log in").click()
    for page in (first, second):
        page.locator("form.login").wait_for(state="detached")
    assert second.get_by_label("Quantity").first.input_value() == "4321"


def test_who_is_logged_out_by_an_admin_sees_the_login(page_as: PageAs, stack: Web) -> None:
    user = stack.new_user("trader")
    page = page_as(user)
    stack.users["admin"].ask("POST", f"/admin/users/{user.ask('GET', '/me')['account_id']}/logout")
    page.get_by_text("You are logged out.").wait_for()


def test_a_login_that_ends_soon_says_so_and_can_be_renewed(
    page_as: PageAs, new_context: NewContext, stack: Web
) -> None:
    context, user = new_context(), stack.users["viewer"]
    context.clock.install(time=datetime.now(UTC) + timedelta(hours=11, minutes=55))
    page = page_as(user, context=context)
    page.get_by_role("button", name="Log in again to go on").wait_for()
    found = look(page, "the login ends soon")
    page.get_by_role("button", name="Log in again to go on").click()
    found += look(page, "log in again to go on", "#login dialog")
    page.get_by_label("Password").fill(user.password)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.locator("form.login").wait_for(state="detached")
    assert found == []


def test_over_plain_http_nobody_can_log_in_and_is_told_why(
    new_context: NewContext, stack: Web, console: list[str]
) -> None:
    page = new_context().new_page()
    page.goto(f"{stack.gapi.replace('127.0.0.1', ANOTHER_NAME)}/app")
    page.get_by_text("needs https, or localhost").wait_for()
    assert page.get_by_label("Password").count() == 0
    console[:] = [
        text for text in console if not text.startswith("The Cross-Origin-Opener-Policy header has been ignored")
    ]


def test_another_site_can_neither_refresh_nor_log_out(new_context: NewContext, stack: Web, console: list[str]) -> None:
    context = new_context()
    log_in(context, stack.users["trader"])
    page = context.new_page()
    # Another port: another origin, and yet one that a strict cookie is sent from.
    page.goto(f"{stack.exchange}/_paper/health")
    send = "(url) => { fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => {}); }"
    with page.expect_response(f"{stack.gapi}{REFRESH}") as answered:
        page.evaluate(send, f"{stack.gapi}{REFRESH}")
    assert answered.value.status == 403

    page.goto("/app")
    assert is_logged_in(page)
    console.clear()
