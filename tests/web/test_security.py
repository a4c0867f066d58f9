"""What the policy of the page keeps out, in a browser that enforces it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import Web

if TYPE_CHECKING:
    from playwright.sync_api import Page

WATCH = """() => {
  const told = (done) => document.addEventListener("securitypolicyviolation", (one) => done(one.effectiveDirective));
  globalThis.violated = new Promise(told);
}"""
KEPT = """async () => {
  const databases = await indexedDB.databases();
  const all = Object.values(Object.getOwnPropertyDescriptors(globalThis)).map(({ value }) => value);
  const own = all.filter((value) => typeof value === "string");
  const stored = [localStorage, sessionStorage].flatMap((one) => Object.entries(one).flat());
  const kept = [...(await caches.keys()), ...databases.map(({ name }) => name), ...stored];
  return [document.cookie, window.name, location.href, document.documentElement.outerHTML, ...kept, ...own].join(" ");
}"""
PageAs = Callable[..., "Page"]
ATTEMPTS = {
    "markup": "() => { document.body.innerHTML = '<img src=x onerror=alert(1)>'; }",
    "a script": "() => { document.createElement('script').textContent = 'alert(1)'; }",
    "another policy": "() => { trustedTypes.createPolicy('another', { createHTML: (text) => text }); }",
}


def test_no_text_becomes_markup_or_script(page_as: PageAs, console: list[str]) -> None:
    page = page_as("trader")
    assert console == []
    done = [name for name, script in ATTEMPTS.items() if not _is_refused(page, script)]
    assert done == []


def test_no_script_can_read_a_token(page_as: PageAs) -> None:
    """Neither where a page keeps things, nor in what it makes global, nor in the markup."""
    page = page_as("trader")
    page.locator("[data-state=live]").wait_for()
    found = page.evaluate(KEPT)
    assert "pulse_login" not in found
    assert re.search(r"rt_|eyJ[\w-]+\.", found) is None


def test_nothing_is_sent_elsewhere(page_as: PageAs) -> None:
    page = page_as("trader")
    send = "() => fetch('http://127.0.0.1:9/').then(() => 'sent', (failure) => failure.name)"
    page.evaluate(WATCH)
    assert page.evaluate(send) == "TypeError"
    assert page.evaluate("() => globalThis.violated") == "connect-src"


@pytest.mark.usefixtures("console_is_clean")
def test_an_order_that_is_not_theirs_is_one_that_there_is_not(page_as: PageAs, stack: Web) -> None:
    order_id = stack.users["trader"].place()
    page = page_as("viewer", f"/app/orders/{order_id}")
    page.get_by_text("No such order, or not yours").wait_for()


def _is_refused(page: "Page", script: str) -> bool:
    return bool(page.evaluate(f"() => {{ try {{ ({script})(); return false; }} catch {{ return true; }} }}"))
