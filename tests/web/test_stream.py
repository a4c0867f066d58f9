"""What happens comes to every tab at once, once, whatever tab closes and whatever restarts; old figures look old."""

import os
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import Web, until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PageAs = Callable[..., "Page"]
NewContext = Callable[..., "BrowserContext"]
TABS = 8

# The module that the page itself runs, so that a test sees what it sees.
MODULE = """async () => {
  const main = document.querySelector("script[src$='main.js']").src;
  globalThis.stream = (await import(main.replace("main.js", "stream.js"))).stream;
  globalThis.heard = [];
  stream.onEvent((event) => heard.push(event.event_id));
}"""

# As if the tab had been left for another more than a minute ago.
HIDE = """() => {
  const now = Date.now;
  Object.defineProperty(document, "hidden", { get: () => true });
  Date.now = () => now() - 61_000;
  document.dispatchEvent(new Event("visibilitychange"));
  Date.now = now;
}"""

pytestmark = pytest.mark.usefixtures("console_is_clean")


def listen(page: "Page") -> None:
    page.evaluate(MODULE)
    page.locator("[data-state=live]").wait_for()


def is_leading(page: "Page") -> bool:
    return bool(page.evaluate("() => stream.isLeading"))


def test_eight_tabs_read_one_stream_and_another_goes_on_when_its_tab_closes(
    page_as: PageAs, new_context: NewContext, stack: Web
) -> None:
    user, context = stack.new_user("trader"), new_context()
    opened: list[str] = []
    context.on("request", lambda request: opened.append(request.url) if request.url.endswith("/api/events") else None)
    pages = [page_as(user, context=context)]
    for _ in range(TABS - 1):
        pages.append(context.new_page())
        pages[-1].goto("/app")
    for page in pages:
        listen(page)
    assert len(opened) == 1

    user.place(split_config={"num_splits": 2, "duration_minutes": 60})
    for page in pages:
        until(page, "() => heard.length >= 5")
    [leader] = [page for page in pages if is_leading(page)]
    pages.remove(leader)
    leader.close()
    until(pages[0], "() => navigator.locks.query().then((all) => all.held.some((one) => one.name === 'pulse-stream'))")

    last = user.ask("GET", "/orders?limit=1")["last_event_id"]
    user.place(split_config={"num_splits": 2, "duration_minutes": 60})
    for page in pages:
        until(page, "(last) => heard.at(-1) >= last + 5", last)
        heard = page.evaluate("() => heard")
        assert heard == list(range(heard[0], heard[-1] + 1)), "none is missed, none comes twice"
    assert len(opened) == 2
    assert sum(map(is_leading, pages)) == 1


def test_a_tab_that_is_hidden_for_a_minute_hands_the_stream_to_one_that_is_seen(
    page_as: PageAs, new_context: NewContext, stack: Web
) -> None:
    user, context = stack.new_user("trader"), new_context()
    leader = page_as(user, context=context)
    listen(leader)
    other = context.new_page()
    other.goto("/app")
    listen(other)
    assert is_leading(leader)
    leader.evaluate(HIDE)
    until(other, "() => stream.isLeading")
    assert not is_leading(leader)

    user.place(split_config={"num_splits": 2, "duration_minutes": 60})
    for page in (leader, other):
        until(page, "() => heard.length >= 5")
        heard = page.evaluate("() => heard")
        assert heard == list(range(heard[0], heard[-1] + 1)), "none is missed, none comes twice"


def test_a_gateway_that_restarts_loses_and_doubles_no_event(page_as: PageAs, stack: Web) -> None:
    user = stack.new_user("trader")
    page = page_as(user)
    listen(page)
    user.place(total_quantity=400, split_config={"num_splits": 40, "duration_minutes": 1})
    until(page, "() => heard.length > 3")

    pid = stack.stack.pid_of("gapi")
    assert pid
    os.kill(pid, signal.SIGKILL)
    page.locator("[data-state=reconnecting]").wait_for()
    page.locator("[data-state=live]").wait_for(timeout=60_000)
    before = page.evaluate("() => heard.length")
    until(page, "(before) => heard.length > before", before)
    heard = page.evaluate("() => heard")
    assert heard == list(range(heard[0], heard[-1] + 1))
    assert page.locator("html[data-old]").count() == 0


def test_figures_grow_old_visibly_when_the_stream_is_silent(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context()
    context.clock.install(time=datetime.now(UTC))
    page = page_as("viewer", context=context)
    listen(page)
    context.set_offline(True)
    page.clock.fast_forward(21_000)
    page.locator("[data-state=stale], [data-state=reconnecting]").first.wait_for()
    # It was last heard up to fifteen seconds before, which a busy machine may make more.
    page.get_by_text(re.compile("figures [2-9][0-9] s old")).wait_for()
    until(page, "() => document.documentElement.hasAttribute('data-old')")

    context.set_offline(False)
    # A connection that says nothing for half a minute is given up.
    page.clock.fast_forward(11_000)
    page.locator("[data-state=live]").wait_for(timeout=60_000)
    until(page, "() => !document.documentElement.hasAttribute('data-old')")


def test_too_many_streams_are_told_with_the_seconds_to_wait(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context()
    refusal = '{"error": {"code": "RATE_LIMITED", "message": "too many event streams are open", "details": {}}}'
    refused = {"status": 429, "headers": {"Retry-After": "40"}, "content_type": "application/json", "body": refusal}
    context.route("**/api/events", lambda route: route.fulfill(**refused))
    page = page_as("viewer", context=context)
    page.get_by_text("Too many streams or requests: tried again in").wait_for()
