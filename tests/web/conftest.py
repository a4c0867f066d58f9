"""One stack and one browser for all tests of the page; each test has browser contexts of its own.

Without a browser they are skipped with a sentence, as `tests.support.lacking` has it.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import requests
from argon2 import PasswordHasher
from ulid import ULID

from api_contract import ids
from tests.support import lacking
from tests.support.processes import wait_until
from tests.support.stacks import Stack, environment_for, running_stack

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

# The slowest machine of all is one on which everything else is tested too.
PATIENCE_MS = 20_000
ROLES = ("viewer", "trader", "operator", "admin")
# A name of this machine that browsers do not take for safe without https.
ANOTHER_NAME = "pulse.test"
# Folder of a stack that runs already, for whoever writes tests: starting one takes most of the time.
_RUNNING = "PULSE_WEB_STACK"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
_UNLIMITED = {f"PULSE_RATE_LIMIT_{name}": "off" for name in ("ACCOUNT", "ORDERS", "ADDRESS")}
# What is answered matters, not how soon a busy machine does.
_PATIENT = {"PULSE_ANSWER_TIMEOUT": "12", "PULSE_LOGIN_TIMEOUT": "20"}
_NO_CHROMIUM = "there is no Chromium: install Debian's `chromium`, or name another in PULSE_CHROMIUM"
_NO_PLAYWRIGHT = "Playwright is not installed: `make web` installs it, with the extra web-test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They take a browser: skipped without one, but where everything has to be tested and one can be had."""
    missing = _NO_PLAYWRIGHT if sync_playwright is None else "" if chromium() else _NO_CHROMIUM
    if not missing or lacking.must_run():
        return
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.skip(reason=missing))


def chromium() -> str | None:
    """The browser to drive, if there is one."""
    named = os.environ.get("PULSE_CHROMIUM", "/usr/bin/chromium")
    return shutil.which(named)


# Hashing is slow by design, and a login is checked at the cost of its hash.
PASSWORD = secrets.token_urlsafe(16)
CHEAP_HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
_ADD_USER = """
    INSERT INTO accounts (id, username, password_hash, role, is_active, generation, created_at, updated_at)
    VALUES (%s, %s, %s, %s, true, 1, now(), now())
"""
# What a gateway says that has too much to do.
_BUSY = (429, 503, 504)


@dataclass
class User:
    """Who logs in; `token` for what a test does beside the page."""

    gapi: str
    username: str
    password: str
    role: str

    @cached_property
    def token(self) -> str:
        body = {"username": self.username, "password": self.password}
        return str(requests.post(f"{self.gapi}/api/auth/login", json=body, timeout=30).json()["access_token"])

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The body of an answer below /api, which has to be a good one."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        answer = requests.request(method, f"{self.gapi}/api{path}", headers=headers, timeout=30, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def place(self, **stated: Any) -> str:
        """An order, by default of 100 shares in five slices within an hour; its id."""
        split = {"num_splits": 5, "duration_minutes": 60, "randomize": False} | stated.pop("split_config", {})
        usual = {"order_unique_key": secrets.token_hex(8), "instrument": "NSE:RELIANCE", "side": "BUY"}
        body = {**usual, "total_quantity": 100, **stated, "split_config": split}
        return str(self.ask("POST", "/orders", json=body)["order_id"])


@dataclass
class Web:
    """The stack, its users by role, and its exchange."""

    stack: Stack
    users: dict[str, User] = field(default_factory=dict)

    @property
    def gapi(self) -> str:
        return self.stack.gapi

    @property
    def exchange(self) -> str:
        return self.stack.state.urls["exchange"]

    def scenario(self, *rules: dict[str, Any]) -> None:
        """Have the exchange fail in these ways from now on; without any, in none."""
        requests.put(f"{self.exchange}/_paper/scenario", json={"rules": rules}, timeout=30).raise_for_status()

    def new_user(self, role: str) -> User:
        """One that no other test knows."""
        name = f"{role}-{secrets.token_hex(4)}"
        row = (ids.account_id(ULID()), name, CHEAP_HASH, role)
        with closing(psycopg2.connect(self.stack.state.environment["DATABASE_URL"])) as connection, connection:
            connection.cursor().execute(_ADD_USER, row)
        return User(self.gapi, name, PASSWORD, role)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A stack with a paper exchange, and a user of each role, called as the role is."""
    with _started(tmp_path_factory) as stack:
        web = Web(stack)
        web.users.update({role: web.new_user(role) for role in ROLES})
        yield web


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    assert sync_playwright is not None, _NO_PLAYWRIGHT
    program = chromium()
    assert program, _NO_CHROMIUM
    # The sandbox of the browser is not what is tested, and root has none.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    options.append(f"--host-resolver-rules=MAP {ANOTHER_NAME} 127.0.0.1")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=options)
        yield started
        started.close()


@pytest.fixture
def console() -> list[str]:
    """What the pages of a test complained of: errors of scripts, and of the policy."""
    return []


@pytest.fixture
def console_is_clean(console: list[str]) -> Iterator[None]:
    """For tests in which no page may complain of anything."""
    yield
    assert console == []


@pytest.fixture
def new_context(browser: "Browser", stack: Web, console: list[str]) -> "Iterator[Callable[..., BrowserContext]]":
    """A browser of its own for each call, with nobody logged in."""
    opened: list[BrowserContext] = []

    def start(width: int = 1280, theme: str = "light", **options: Any) -> "BrowserContext":
        context = browser.new_context(
            base_url=stack.gapi,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
            has_touch=width < 600,
            locale="en-IN",
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        context.on("page", lambda page: _listen(page, console))
        opened.append(context)
        return context

    yield start
    for context in opened:
        context.close()


@pytest.fixture
def page_as(new_context: "Callable[..., BrowserContext]", stack: Web) -> "Callable[..., Page]":
    """`page_as(role or user, path, width, theme)`: a page of who is logged in already."""

    def open_page(
        who: str | User, path: str = "/app", width: int = 1280, theme: str = "light", context: Any = None
    ) -> "Page":
        user = stack.users[who] if isinstance(who, str) else who
        context = context or new_context(width, theme)
        log_in(context, user)
        page: Page = context.new_page()
        page.goto(path)
        page.locator("#header nav").wait_for()
        return page

    return open_page


def log_in(context: "BrowserContext", user: User) -> None:
    """Give a browser the cookie of a login, as the page's own form does."""
    body = {"username": user.username, "password": user.password}

    def is_let_in() -> bool:
        answer = context.request.post("/app/session", data=body, headers=SAME_ORIGIN)
        assert answer.ok or answer.status in _BUSY, answer.text()
        return bool(answer.ok)

    wait_until(is_let_in, PATIENCE_MS / 1000, f"a login of {user.username}")


def until(page: "Page", script: str, *arguments: Any) -> None:
    """Wait until a function of the page gives something true. Not by a string: the policy forbids eval."""
    wait_until(lambda: page.evaluate(script, *arguments), PATIENCE_MS / 1000, script)


def _listen(page: "Page", console: list[str]) -> None:
    def note(message: "ConsoleMessage") -> None:
        # A refusal by the server is the page's to handle; the browser notes each.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            console.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: console.append(str(error)))


def _started(tmp_path_factory: pytest.TempPathFactory) -> AbstractContextManager[Stack]:
    if _RUNNING in os.environ:
        folder = Path(os.environ[_RUNNING])
        return nullcontext(Stack(folder, process=None, output=folder / "terminal.log"))  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("web")
    return running_stack(folder, environment_for(folder) | _UNLIMITED | _PATIENT)
