"""The blotter: rows that stay where they are, live figures, what can be done from the table."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.processes import wait_until
from tests.web import samples
from tests.web.conftest import User, Web, until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

pytestmark = pytest.mark.usefixtures("console_is_clean")

PageAs = Callable[..., "Page"]
NewContext = Callable[..., "BrowserContext"]
WIDE = 1600
# Whether the cells and headers of figures show all that they say, and the table no less than its columns.
WHOLE = """() => {
  const table = document.querySelector(".blotter .grid");
  const figures = [...table.querySelectorAll(".number, .column-time, .column-state")];
  return [table, ...figures.filter((cell) => cell.offsetParent)].every((one) => one.scrollWidth <= one.clientWidth);
}"""


@pytest.fixture(scope="module")
def somebody(stack: Web) -> User:
    return stack.new_user("trader")


@pytest.fixture
def trader(somebody: User) -> Iterator[User]:
    """One whose working orders are this test's alone."""
    yield somebody
    for order in somebody.ask("GET", "/orders?status=PENDING,IN_PROGRESS,PAUSED")["orders"]:
        somebody.ask("DELETE", f"/orders/{order['order_id']}")


def row(page: "Page", symbol: str) -> "Locator":
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=symbol, exact=True))


def cell(page: "Page", symbol: str, column: str) -> "Locator":
    return row(page, symbol).locator(f".column-{column}")


def symbols(page: "Page") -> list[str]:
    """The instruments from the top of the table down, as they are seen."""
    rows = page.evaluate(
        """() => [...document.querySelectorAll(".blotter .grid-row:not([hidden])")]
            .sort((one, other) => one.getBoundingClientRect().top - other.getBoundingClientRect().top)
            .map((row) => row.querySelector(".column-instrument").textContent)"""
    )
    return list(rows)


def test_a_fill_changes_its_cell_and_no_other_row_moves(page_as: PageAs, trader: User) -> None:
    trader.place(instrument="NSE:INFY")
    trader.place(instrument="NSE:TCS", total_quantity=400, split_config={"num_splits": 100, "duration_minutes": 3})
    trader.place(instrument="NSE:SBIN")
    page = page_as(trader)
    filled = cell(page, "TCS", "filled")
    filled.wait_for()
    before, stood = filled.text_content(), symbols(page)
    quiet = cell(page, "INFY", "filled").text_content()

    wait_until(lambda: filled.text_content() != before, 20, "a fill is seen")

    assert stood == symbols(page) == ["SBIN", "TCS", "INFY"]
    assert cell(page, "INFY", "filled").text_content() == quiet


def test_no_figure_is_ever_cut(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context(WIDE)
    long = samples.order(1, total_quantity=99_99_99_999, filled_quantity=99_99_99_000, average_price="9285045.4567")
    samples.show_orders(context, [samples.order(0), long | {"created_at": "2025-11-28T08:32:07.000000Z"}])
    page = page_as("operator", context=context)
    cell(page, "INFY", "average").get_by_text(".4567").wait_for()
    for width in (1279, 1024, 900, 760, 700):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, WHOLE)
    assert cell(page, "INFY", "quantity").inner_text() == "99,99,99,999"


def test_a_card_says_whose_order_it_is_where_there_are_several(page_as: PageAs, new_context: NewContext) -> None:
    for role, seen in (("operator", ["asha"]), ("trader", [])):
        context = new_context(390)
        samples.show_orders(context, [samples.order(0)])
        page = page_as(role, context=context)
        row(page, "RELIANCE").wait_for()
        assert row(page, "RELIANCE").locator(".column-account").all_inner_texts() == seen
        assert page.evaluate(WHOLE)


def test_the_plan_and_how_late_it_is_are_told_in_shares_and_milliseconds(
    page_as: PageAs, new_context: Callable[..., "BrowserContext"]
) -> None:
    context = new_context(WIDE)
    late = {"last": 47, "p95": 88, "worst": 900}
    behind = samples.order(1, total_quantity=40_000, filled_quantity=16_000, planned_quantity=18_400, late_ms=late)
    samples.show_orders(context, [behind])
    page = page_as("trader", context=context)

    plan, lateness = cell(page, "INFY", "plan"), cell(page, "INFY", "late")
    plan.get_by_text("\N{MINUS SIGN}6.0 %").wait_for()
    assert plan.get_attribute("title") == "16,000 filled, 18,400 planned by now: 2,400 behind"
    assert lateness.text_content() == "47 ms"
    assert lateness.get_attribute("title") == "sent after its time: last 47 ms, p95 88 ms, worst 900 ms"


def test_the_plan_of_an_order_that_stands_still_goes_on(
    page_as: PageAs, new_context: Callable[..., "BrowserContext"]
) -> None:
    context = new_context(WIDE)
    context.clock.install(time=datetime.now(UTC))
    paused = samples.order(1, total_quantity=40_000, filled_quantity=16_000, planned_quantity=16_000, status="PAUSED")
    samples.show_orders(context, [paused])
    page = page_as("trader", context=context)
    plan = cell(page, "INFY", "plan")
    plan.get_by_text("0.0 %").wait_for()
    paused["planned_quantity"] = 18_400

    page.clock.fast_forward(31_000)

    plan.get_by_text("\N{MINUS SIGN}6.0 %").wait_for()


def test_a_new_order_waits_above_while_somebody_is_at_the_table(page_as: PageAs, trader: User) -> None:
    trader.place(instrument="NSE:INFY")
    page = page_as(trader)
    row(page, "INFY").wait_for()
    page.get_by_role("grid", name="Orders").focus()

    trader.place(instrument="NSE:TCS")

    show = page.get_by_role("button", name="1 new order: show")
    show.wait_for()
    assert symbols(page) == ["INFY"]
    show.click()
    row(page, "TCS").wait_for()
    assert symbols(page) == ["TCS", "INFY"]


def test_a_frozen_table_stands_still_and_counts_what_waits(page_as: PageAs, trader: User) -> None:
    trader.place(instrument="NSE:INFY")
    page = page_as(trader)
    row(page, "INFY").wait_for()
    page.keyboard.press("f")

    trader.place(instrument="NSE:TCS")

    page.get_by_role("button", name=re.compile("Frozen, [1-9]")).wait_for()
    assert symbols(page) == ["INFY"]
    page.keyboard.press("f")
    row(page, "TCS").wait_for()


def test_what_is_shown_is_exported_and_no_cell_is_a_formula(page_as: PageAs, trader: User) -> None:
    trader.place(instrument="NSE:INFY", client_note='=HYPERLINK("http://x","y")')
    trader.place(instrument="NSE:SBIN", client_note="not shown")
    page = page_as(trader, width=WIDE)
    row(page, "SBIN").wait_for()
    page.get_by_label("Filter").fill("hyperlink")
    wait_until(lambda: symbols(page) == ["INFY"], 20, "the others are left out")
    with page.expect_download() as saved:
        page.get_by_role("button", name="csv").click()

    [line] = csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8-sig")))
    assert line["Note"] == '\'=HYPERLINK("http://x","y")'
    assert line["Instrument"] == "NSE:INFY"
    assert line["Quantity"] == "100"
    assert line["Time"].endswith("Z")


def test_views_and_filters_say_what_they_leave_out(page_as: PageAs, trader: User) -> None:
    trader.place(instrument="NSE:INFY", side="SELL")
    gone = trader.place(instrument="NSE:TCS")
    trader.ask("DELETE", f"/orders/{gone}")
    page = page_as(trader)
    row(page, "INFY").wait_for()
    assert row(page, "TCS").count() == 0

    page.keyboard.press("4")
    row(page, "TCS").first.wait_for()
    assert "view=all" in page.url
    page.get_by_label("Side", exact=True).select_option("SELL")
    wait_until(lambda: set(symbols(page)) == {"INFY"}, 20, "what was bought is left out")
    page.get_by_label("Filter").fill("nothing like it")
    page.get_by_text("None match.").wait_for()
    page.get_by_role("button", name="Clear").click()
    row(page, "TCS").first.wait_for()


def test_what_is_sorted_says_how_much_of_it_is_loaded_and_loads_the_rest(
    page_as: PageAs, new_context: NewContext
) -> None:
    context = new_context()
    least = samples.order(400, instrument="NSE:LEAST", total_quantity=1)
    samples.show_orders(context, [samples.order(number) for number in range(400)] + [least])
    page = page_as("trader", context=context)
    page.get_by_role("button", name="Load more").wait_for()
    page.get_by_label("Sort").select_option(label="Quantity")
    page.get_by_text("sorted among the 200 that are loaded").wait_for()
    assert symbols(page)[0] != "LEAST"
    sort = page.get_by_label("Sort")
    sort.select_option(label="Time")
    page.get_by_role("columnheader", name="Time").click()
    row(page, "LEAST").wait_for()
    assert symbols(page)[0] == "LEAST", "the server says which are the oldest"
    page.get_by_role("columnheader", name="Time").click()
    until(page, "() => document.querySelector('.blotter .column-instrument a[href*=\"ord_10000000\"]') !== null")
    sort.select_option(label="Quantity")

    page.get_by_role("button", name="Load all").click()
    row(page, "LEAST").wait_for()
    assert symbols(page)[0] == "LEAST"
    page.get_by_text("401 shown").wait_for()
    assert page.get_by_text("sorted among").count() == 0


def test_the_filter_finds_what_is_not_loaded_and_none_means_none(page_as: PageAs, new_context: NewContext) -> None:
    context = new_context()
    samples.show_orders(context, [samples.order(number) for number in range(450)])
    page = page_as("trader", context=context)
    page.get_by_text("200 shown").wait_for()

    page.get_by_label("Filter").fill("KEY-321")
    page.get_by_text("1 shown").wait_for()
    assert page.locator(".blotter .grid-row:not([hidden]) a").get_attribute("href") == (
        f"/app/orders/{samples.order(321)['order_id']}"
    )
    page.get_by_label("Filter").fill("key-999")
    page.get_by_text("None match.").wait_for()
    page.get_by_label("Filter").fill("")
    page.get_by_text("200 shown").wait_for()


def test_an_operator_sees_whose_each_order_is(page_as: PageAs, stack: Web, trader: User) -> None:
    trader.place(instrument="NSE:INFY")
    page = page_as("operator")
    mine = page.get_by_role("row").filter(has_text=trader.username)
    mine.wait_for()
    page.get_by_label("Account", exact=True).select_option(trader.username)
    wait_until(lambda: symbols(page) == ["INFY"], 20, "those of the others are left out")
    row(page, "INFY").get_by_role("link").click()
    page.get_by_text(f"account {trader.username}").wait_for()


def test_an_order_is_steered_by_keyboard_alone(page_as: PageAs, trader: User) -> None:
    order = trader.place(instrument="NSE:INFY")
    page = page_as(trader)
    row(page, "INFY").wait_for()
    press = page.keyboard.press

    press("j")
    press("p")
    cell(page, "INFY", "state").get_by_text("Paused").wait_for()
    press("r")
    cell(page, "INFY", "state").get_by_text("In progress").wait_for()
    press("Enter")
    page.get_by_role("heading", name="INFY").wait_for()
    assert page.url.endswith(order)

    press("x")
    page.get_by_role("dialog").wait_for()
    press("Enter")  # the focus is on what does no harm
    page.get_by_role("dialog").wait_for(state="detached")
    assert trader.ask("GET", f"/orders/{order}")["status"] == "IN_PROGRESS"
    press("x")
    page.get_by_role("dialog").wait_for()
    press("Tab")
    press("Enter")
    page.locator(".order-head .state", has_text="Cancelled").wait_for()
    assert trader.ask("GET", f"/orders/{order}")["status"] == "CANCELLED"


def test_several_are_cancelled_once_their_number_was_typed(page_as: PageAs, trader: User) -> None:
    for instrument in ("NSE:INFY", "NSE:TCS"):
        trader.place(instrument=instrument)
    page = page_as(trader)
    for symbol in ("INFY", "TCS"):
        cell(page, symbol, "chosen").click()
    page.get_by_role("button", name="Cancel...").click()
    confirm = page.get_by_role("button", name="Cancel 2 orders")
    assert confirm.is_disabled()
    page.get_by_label("Type 2 to confirm").fill("2")
    confirm.click()

    page.get_by_role("heading", name="2 orders cancelled").wait_for()
    assert trader.ask("GET", "/orders?status=PENDING,IN_PROGRESS,PAUSED")["orders"] == []


def test_a_note_with_markup_is_text(page_as: PageAs, trader: User) -> None:
    note = "<img src=x onerror=alert(1)>"
    order = trader.place(instrument="NSE:INFY", client_note=note)
    page = page_as(trader, width=WIDE)
    assert cell(page, "INFY", "note").text_content() == note
    page.goto(f"/app/orders/{order}")
    page.get_by_text(f"note: {note}").wait_for()


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_who_may_not_trade_sees_no_action(page_as: PageAs, stack: Web, role: str) -> None:
    order = stack.users["trader"].place(instrument="NSE:INFY")
    page = page_as(role)
    page.get_by_label("Filter").wait_for()
    assert page.locator(".column-chosen").count() == 0
    page.keyboard.press("n")
    assert page.get_by_role("dialog").count() == 0
    if role == "admin":
        page.goto(f"/app/orders/{order}")
        page.get_by_role("heading", name="INFY").wait_for()
        assert page.get_by_role("button", name=re.compile("Pause|Resume|Cancel")).count() == 0
