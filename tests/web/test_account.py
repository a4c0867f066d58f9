"""The own account, and what admins and operators look after."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import requests

from pulse_core.identity import totp
from tests.web.axe import look
from tests.web.conftest import User, Web, log_in

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = pytest.mark.usefixtures("console_is_clean")


def log_in_again(page: "Page", user: User, password: str, code: str = "") -> None:
    # Passwords are looked at by threads of low priority: after everything else on a busy machine.
    page.get_by_label("Username").wait_for(timeout=60_000)
    page.get_by_label("Username").fill(user.username)
    page.locator("form.login").get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in", exact=True).click()
    if code:
        page.get_by_label("Code of your app").fill(code)
        page.get_by_role("button", name="Log in", exact=True).click()
    page.locator("form.login").wait_for(state="detached")


def test_a_second_factor_is_set_up_and_the_login_asks_for_it(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.new_user("trader")
    page = page_as(user, "/app/account")
    factor = page.locator("#second-factor")
    factor.get_by_label("Password").fill(user.password)
    factor.get_by_role("button", name="Set it up").click()
    factor.get_by_role("img", name="QR code").wait_for()
    secret = factor.locator(".secret").inner_text().replace(" ", "")
    found = look(page, "setting up a second factor", "#second-factor")
    factor.get_by_label("Code that the app shows now").fill(totp.code_of(secret, totp.step_at(datetime.now(UTC))))
    factor.get_by_role("button", name="Turn it on").click()
    codes = factor.locator(".codes code")
    codes.first.wait_for()
    kept = codes.all_inner_texts()
    assert len(kept) == 10
    found += look(page, "recovery codes", "#second-factor")
    factor.get_by_role("button", name="I have kept them").click()

    log_in_again(page, user, user.password, kept[0])
    page.reload()
    page.locator("#second-factor").get_by_text("9 recovery codes are left").wait_for()
    assert found == []


def test_how_own_orders_catch_up_is_seen_and_set(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.new_user("trader")
    policy = page_as(user, "/app/account").locator("#policy")
    policy.get_by_text("Leave the rest unfilled").wait_for()
    policy.get_by_role("button", name="Change").click()
    policy.get_by_label("No slice above").fill("11")
    policy.get_by_label("When the window is over").select_option("Send the rest at market")
    policy.get_by_role("button", name="Set all of it").click()
    policy.get_by_role("alert").wait_for()
    policy.get_by_label("No slice above").fill("2")
    policy.get_by_role("button", name="Set all of it").click()
    policy.get_by_text("Send the rest at market (set)").wait_for()
    own = user.ask("GET", "/policy")["own"]
    assert (own["max_slice_multiple"], own["at_end"], own["catch_up"]) == (2, "market", None)


def test_a_key_is_shown_once_and_revoked(page_as: "Callable[..., Page]", stack: Web) -> None:
    user = stack.new_user("trader")
    page = page_as(user, "/app/account")
    keys = page.locator("#keys")
    keys.get_by_role("button", name="New key").click()
    keys.get_by_label("Name").fill("rebalancer")
    keys.get_by_label("Password").fill(user.password)
    keys.get_by_role("button", name="Make the key").click()
    secret = keys.locator(".secret").inner_text()
    found = look(page, "a key that was made", "#keys")
    headers = {"Authorization": f"Bearer {secret}"}
    assert requests.get(f"{stack.gapi}/api/me", headers=headers, timeout=30).json()["username"] == user.username
    keys.get_by_role("button", name="I have kept it").click()
    page.reload()
    keys.get_by_role("button", name="Revoke rebalancer").click()
    page.get_by_role("button", name="Revoke it", exact=True).click()
    keys.get_by_text("No keys.").wait_for()
    assert secret not in page.content()
    assert found == []


def test_a_new_password_and_logging_out_everywhere_end_the_login_in_place(
    page_as: "Callable[..., Page]", stack: Web
) -> None:
    user = stack.new_user("viewer")
    page = page_as(user, "/app/account")
    part, new = page.locator("#password"), secrets.token_urlsafe(16)
    part.get_by_label("Password now").fill("not this one")
    part.get_by_label("New password").fill(new)
    part.get_by_role("button", name="Change the password").click()
    part.get_by_role("alert").wait_for()
    part.get_by_label("Password now").fill(user.password)
    part.get_by_role("button", name="Change the password").click()
    log_in_again(page, user, new)
    page.locator("#logins").get_by_role("button", name="Log out everywhere...").click()
    page.get_by_role("dialog").get_by_role("button", name="Log out everywhere").click()
    page.locator("form.login").wait_for()


def test_an_admin_adds_a_user_and_changes_what_that_one_may_do(page_as: "Callable[..., Page]", stack: Web) -> None:
    page, name = page_as("admin", "/app/account"), f"asha-{secrets.token_hex(3)}"
    users, password = page.locator("#users"), secrets.token_urlsafe(16)
    users.get_by_role("button", name="New user").click()
    users.get_by_label("Name", exact=True).fill(name)
    users.get_by_label("First password").fill(password)
    users.get_by_role("button", name="Add the user").click()
    user = User(stack.gapi, name, password, "trader")
    while users.get_by_role("button", name=f"Change {name}").count() == 0:
        users.get_by_text("The user may log in now.").or_(users.get_by_role("button", name="More users")).first.click()
    users.get_by_role("button", name=f"Change {name}").click()

    users.get_by_role("button", name="Change the limits").click()
    users.get_by_label("Open orders", exact=True).fill("7")
    users.get_by_role("button", name="Set all of them").click()
    users.get_by_text("The limits are set.").wait_for()
    assert user.ask("GET", "/limits")["in_force"]["open_orders"] == 7

    users.get_by_role("button", name=f"Change how orders of {name} catch up").click()
    users.get_by_label("What it misses").select_option("Give it up")
    users.get_by_role("button", name="Set all of it").click()
    users.get_by_text("It holds for orders from now on.").wait_for()
    assert user.ask("GET", "/policy")["own"]["catch_up"] == "skip"

    users.get_by_label(f"Role of {name}").select_option("operator")
    users.get_by_text("is operator now").wait_for()
    users.get_by_role("button", name="Disable...").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    users.get_by_text(f"{name} is disabled").wait_for()
    refused = requests.post(f"{stack.gapi}/api/auth/login", json={"username": name, "password": password}, timeout=30)
    assert refused.status_code == 401


def test_broker_accounts_are_for_operators_and_admins(page_as: "Callable[..., Page]") -> None:
    page = page_as("operator", "/app/account")
    page.locator("#broker-accounts").get_by_text("Ready").wait_for()
    assert page.locator("#users").count() == 0
    page = page_as("trader", "/app/account")
    page.locator("#keys").get_by_text("No keys.").or_(page.locator("#keys table")).wait_for()
    assert page.locator("#broker-accounts").count() == 0


def test_who_must_have_a_second_factor_sees_nothing_else_before(
    new_context: "Callable[..., BrowserContext]", stack: Web
) -> None:
    context, user = new_context(), stack.new_user("trader")

    def demanding(route: "Route") -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"must_enrol": True})

    context.route("**/app/session/refresh", demanding)
    log_in(context, user)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url) if "/api/orders" in request.url else None)
    page.goto("/app")
    page.get_by_text("Your role needs a second factor.").wait_for()
    page.wait_for_url("**/app/account")
    page.locator("#second-factor").get_by_label("Password").wait_for()
    assert page.locator("#page section").count() == 1
    assert page.locator("#header nav a").count() == 0
    found = look(page, "a second factor is demanded")
    for key in ("g", "o"):
        page.keyboard.press(key)
    page.locator("#second-factor").get_by_label("Password").wait_for()
    assert page.url.endswith("/app/account")
    assert asked == []
    assert found == []


def test_an_admin_says_who_may_trade_with_a_real_account_and_an_operator_logs_it_in(
    page_as: "Callable[..., Page]", stack: Web
) -> None:
    name, trader = f"kite-{secrets.token_hex(3)}", stack.new_user("trader")
    page = page_as("admin", "/app/account")
    part = page.locator("#broker-accounts")
    part.get_by_role("button", name="New broker account").click()
    part.get_by_label("Name").fill(name)
    part.get_by_label("Broker", exact=True).fill("zerodha")
    part.get_by_role("button", name="Add it").click()
    part.get_by_text("Its keys are sealed on the machine").wait_for()
    part.get_by_role("button", name=f"Who may trade with {name}").click()
    part.get_by_text("Nobody.").wait_for()
    while part.get_by_label("Let somebody").get_by_role("option", name=trader.username).count() == 0:
        part.get_by_role("button", name="More users").click()
    part.get_by_label("Let somebody").select_option(label=f"{trader.username} (trader)")
    part.get_by_role("button", name="Let trade with real money").click()
    part.get_by_text("Granted.").wait_for()
    found = look(page, "grants", "#broker-accounts")
    granted = stack.users["admin"].ask("GET", f"/broker-accounts/{name}/grants")["grants"]
    assert [one["username"] for one in granted] == [trader.username]
    part.get_by_role("button", name=f"End the grant of {trader.username}").click()
    end = page.get_by_role("dialog").get_by_role("button", name="End it")
    end.wait_for()
    found += look(page, "ending a grant", "dialog[open]")
    end.click()
    part.get_by_text("Nobody.").wait_for()

    page = page_as("operator", "/app/account")
    stated: list[object] = []

    def log_in_there(route: "Route") -> None:
        if route.request.method == "POST":
            stated.append(route.request.post_data_json)
        route.fulfill(json={"address": "https://broker.test/login"})

    page.route(f"**/api/broker-accounts/{name}/login", log_in_there)
    page.locator("#broker-accounts").get_by_role("button", name=f"Log in to {name}").click()
    form = page.get_by_role("form", name=f"Log in to {name}")
    link = form.get_by_role("link", name="Open the broker's login page")
    assert link.get_attribute("href") == "https://broker.test/login"
    form.get_by_label("Address, or the request token").fill(
        "https://me.test/?action=login&request_token=r%2Bq&status=success"
    )
    form.get_by_label("Whose account").fill("AB1234")
    found += look(page, "logging a broker account in", "#broker-accounts")
    form.get_by_role("button", name="Log in").click()
    page.locator("#broker-accounts").get_by_text(f"{name} is logged in.").wait_for()
    assert stated == [{"request_token": "r+q", "user": "AB1234"}]
    assert found == []


def test_who_leaves_is_offboarded_once_the_name_was_typed(page_as: "Callable[..., Page]", stack: Web) -> None:
    leaver = stack.new_user("trader")
    order_id = leaver.place()
    page = page_as("admin", "/app/account")
    users = page.locator("#users")
    users.get_by_role("button", name="Change").first.wait_for()
    while users.get_by_role("button", name=f"Change {leaver.username}").count() == 0:
        users.get_by_role("button", name="More users").click()
    users.get_by_role("button", name=f"Change {leaver.username}").click()
    users.get_by_label("Leaves for good").select_option("cancel")
    users.get_by_role("button", name="Offboard...").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("button", name="Offboard").is_disabled()
    dialog.get_by_label("to confirm").fill(leaver.username)
    found = look(page, "offboarding", "dialog[open]")
    dialog.get_by_role("button", name="Offboard").click()
    users.get_by_text(f"{leaver.username} has left.").wait_for()

    order = stack.users["operator"].ask("GET", f"/orders/{order_id}")
    assert order["status"] in ("CANCELLED", "CANCELLING")
    body = {"username": leaver.username, "password": leaver.password}
    assert requests.post(f"{stack.gapi}/api/auth/login", json=body, timeout=30).status_code == 401
    assert found == []
