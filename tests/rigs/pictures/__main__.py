"""`python -m tests.rigs.pictures`: the pictures of Flower in the docs, taken on a stack of its own.

The exchange refuses two slices for good. They are found, one is understood and retried, and goes. Playwright drives
Chromium: the packages of `make web`.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import requests
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.support.processes import wait_until
from tests.support.stacks import PULSE, Stack, running_stack
from tests.web.conftest import chromium

ROOT = Path(__file__).parents[3]
PICTURES = ROOT / "docs" / "services" / "pulse-background" / "pictures"
REFUSED, TAKEN = "NSE:SBIN", "NSE:RELIANCE"
REFUSAL = {"fault": "refuse", "instrument": REFUSED, "error_type": "InputException", "message": "Invalid product."}
ORDER = ("--side", "BUY", "--quantity", "60", "--splits", "3", "--minutes", "30", "--even")
PATIENCE_MS = 30_000


@click.command()
@click.option("--into", default=PICTURES, show_default=True, type=click.Path(path_type=Path, file_okay=False))
def main(into: Path) -> None:
    """Take the three pictures anew; look at each before it is committed."""
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack, opened_browser() as browser:
        take_pictures(stack, browser, into)


def take_pictures(stack: Stack, browser: Browser, into: Path) -> None:
    """`flower-failed.png`, `flower-why.png` and `flower-retried.png`."""
    page = browser.new_page(viewport={"width": 1700, "height": 460})
    page.set_default_timeout(PATIENCE_MS)
    scenario(stack, REFUSAL)
    for instrument in (TAKEN, REFUSED, REFUSED):
        pulse(stack, "orders", "place", "--instrument", instrument, *ORDER)

    failed = found(stack, page, "state:FAILURE", of=2)
    page.screenshot(path=into / "flower-failed.png")

    page.set_viewport_size({"width": 1100, "height": 1000})
    link = failed.first.locator("a[href*='/task/']").first
    page.goto(f"{stack.state.urls['flower']}{link.get_attribute('href')}")
    [slice_id] = set(re.findall(r"sl_[0-9A-Z]{26}", page.content()))
    page.screenshot(path=into / "flower-why.png")

    scenario(stack)
    pulse(stack, "slices", "retry", slice_id)
    page.set_viewport_size({"width": 1700, "height": 500})
    found(stack, page, f"kwargs:{slice_id}", of=2)
    page.screenshot(path=into / "flower-retried.png")


@contextmanager
def opened_browser() -> Iterator[Browser]:
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield started
        started.close()


def scenario(stack: Stack, *rules: dict[str, str]) -> None:
    url = f"{stack.state.urls['exchange']}/_paper/scenario"
    requests.put(url, json={"rules": rules}, timeout=10).raise_for_status()


def pulse(stack: Stack, *arguments: str) -> Any:
    """What a command prints as JSON, given as the docs have it."""
    command = [PULSE, *arguments, "--json", "--data-dir", str(stack.data_dir)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def found(stack: Stack, page: Page, search: str, of: int) -> Locator:
    """The rows that Flower finds, once there are so many."""

    def looked_up() -> bool:
        page.goto(f"{stack.state.urls['flower']}/tasks")
        page.get_by_role("searchbox").fill(search)
        page.wait_for_timeout(1000)
        return rows.count() == of

    rows = page.locator("#tasks-table tbody tr", has_text=REFUSED)
    wait_until(looked_up, 60, f"{of} rows of {search}")
    return rows


if __name__ == "__main__":
    main()
