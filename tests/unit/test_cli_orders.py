"""`pulse orders` and `pulse token` against a gateway that speaks the contract, in fair weather and foul."""

import json
from typing import Any

import pytest

from pulse_ops.stack.ports import free_port
from tests.support.gateway import FILLED, Canned, FakeGateway, Pulse, Seen, slice_answer

PLACE = [
    "orders", "place", "--instrument", "NSE:RELIANCE", "--side", "buy",
    "--quantity", "100", "--splits", "5", "--minutes", "60",
]  # fmt: skip
NEEDED = ("order_unique_key", "instrument", "side", "total_quantity", "split_config")


def test_an_order_is_placed_and_its_id_and_key_are_shown(gateway: FakeGateway, pulse: Pulse) -> None:
    result = pulse(*PLACE, "--key", "monday-1", "--even")
    assert result.exit_code == 0
    [order] = gateway.orders.values()
    assert order["order_id"] in result.stdout
    assert "monday-1" in result.stdout
    [sent] = gateway.calls("POST", "/api/orders")
    assert sent.body == {
        "order_unique_key": "monday-1",
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 100,
        "split_config": {"num_splits": 5, "duration_minutes": 60, "randomize": False},
    }


def test_every_term_that_an_order_may_state_is_an_option(gateway: FakeGateway, pulse: Pulse) -> None:
    terms = ["--limit-price", "2510.50", "--start-at", "2026-03-02T09:20+05:30", "--product", "mis"]
    terms += ["--session", "at_open"]
    result = pulse(*PLACE, *terms, "--slice-timeout", "120", "--note", "leg 2 [bold]")
    assert result.exit_code == 0
    [sent] = gateway.calls("POST", "/api/orders")
    assert sent.body is not None
    assert {name: sent.body[name] for name in sent.body if name not in NEEDED} == {
        "order_type": "LIMIT",
        "limit_price": "2510.50",
        "start_at": "2026-03-02T03:50:00Z",
        "session": "at_open",
        "product": "MIS",
        "slice_timeout_seconds": 120,
        "client_note": "leg 2 [bold]",
    }


def test_a_preview_shows_the_schedule_the_money_and_the_warnings_and_places_nothing(
    gateway: FakeGateway, pulse: Pulse
) -> None:
    result = pulse("orders", "preview", *PLACE[2:])
    assert result.exit_code == 0
    for shown in (
        "BUY 100 NSE:RELIANCE at paper",
        "2026-03-02 05:00:00Z",
        "140,235.00 INR at 1402.35",
        "20,000.00 INR",
    ):
        assert shown in result.stdout
    assert "Warning: the order needs a margin" in result.stderr
    assert "Not told by the broker: charges (the broker does not say)." in result.stderr
    assert gateway.orders == {}


def test_an_order_that_was_previewed_is_placed_with_its_plan_once_that_is_agreed_to(
    gateway: FakeGateway, pulse: Pulse
) -> None:
    agreed, refused = (pulse(*PLACE, "--preview", said=said) for said in ("y\n", "n\n"))
    silent = pulse(*PLACE, "--preview", "--yes")
    assert [agreed.exit_code, refused.exit_code, silent.exit_code] == [0, 1, 0]
    assert "Place this order?" in agreed.stderr
    assert "Place this order?" not in silent.stderr
    assert [(sent.body or {}).get("plan_token") for sent in gateway.calls("POST", "/api/orders")] == ["cGxhbg=="] * 2
    assert all("plan_token" not in (one.body or {}) for one in gateway.calls("POST", "/api/orders/preview"))


def test_with_json_a_preview_is_a_line_and_what_was_placed_another(pulse: Pulse) -> None:
    shown, placed = pulse(*PLACE, "--preview", "--yes", "--json").stdout.splitlines()
    assert json.loads(shown)["plan_token"] == "cGxhbg=="
    assert json.loads(placed).keys() == {"order_id", "order_unique_key", "replayed"}


def test_the_order_type_is_taken_at_its_word(gateway: FakeGateway, pulse: Pulse) -> None:
    pulse(*PLACE, "--order-type", "market", "--limit-price", "2510.50")
    pulse(*PLACE, "--order-type", "limit")
    stated = [sent.body or {} for sent in gateway.calls("POST", "/api/orders")]
    assert [one["order_type"] for one in stated] == ["MARKET", "LIMIT"]


def test_a_window_may_last_until_the_close(gateway: FakeGateway, pulse: Pulse) -> None:
    assert pulse(*PLACE[:-2], "--until-close").exit_code == 0
    [sent] = gateway.calls("POST", "/api/orders")
    assert (sent.body or {})["split_config"] == {"num_splits": 5, "randomize": True, "until_close": True}
    assert [pulse(*PLACE, "--until-close").exit_code, pulse(*PLACE[:-2]).exit_code] == [2, 2]


@pytest.mark.parametrize("term", [("--limit-price", "1e3"), ("--start-at", "soon"), ("--product", "BO")])
def test_what_is_no_term_is_wrong_usage(gateway: FakeGateway, pulse: Pulse, term: tuple[str, str]) -> None:
    assert pulse(*PLACE, *term).exit_code == 2
    assert gateway.seen == []


def test_with_json_only_data_is_on_stdout(pulse: Pulse) -> None:
    result = pulse(*PLACE, "--json")
    placed = json.loads(result.stdout)
    assert placed.keys() == {"order_id", "order_unique_key", "replayed"}
    assert placed["order_unique_key"] in result.stderr


def test_placing_the_same_key_again_says_that_nothing_new_was_made(gateway: FakeGateway, pulse: Pulse) -> None:
    first, second = (pulse(*PLACE, "--key", "monday-1") for _ in range(2))
    assert first.stdout == second.stdout
    assert "no new order was placed" in second.stderr
    assert len(gateway.orders) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Canned(504, "UPSTREAM_TIMEOUT", "pulse did not answer in time", is_late=True),
        Canned(503),
        Canned(0, is_late=True),
        Canned(0),
        Canned(429, "RATE_LIMITED", "too many requests", headers={"Retry-After": "1"}),
        Canned(502, raw=b"<html>bad gateway</html>"),
    ],
    ids=["times out after the work", "unavailable", "cut after the work", "cut", "rate limited", "proxy page"],
)
def test_an_order_whose_answer_is_lost_is_repeated_with_its_key(
    gateway: FakeGateway, pulse: Pulse, trouble: Canned
) -> None:
    gateway.canned.append(trouble)
    result = pulse(*PLACE)
    assert result.exit_code == 0
    first, second = gateway.calls("POST", "/api/orders")
    assert first.body == second.body
    assert len(gateway.orders) == 1
    assert "Asking again" in result.stderr


def test_an_order_that_cannot_be_sent_shows_its_key_all_the_same(pulse: Pulse) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    result = pulse(*PLACE, PULSE_GATEWAY_URL=nowhere)
    assert result.exit_code == 3
    assert "--key cli-" in result.stderr
    assert f"No gateway can be reached at {nowhere}." in result.stderr


def test_a_refusal_is_one_sentence_and_exit_code_4(gateway: FakeGateway, pulse: Pulse) -> None:
    rules = {"side": "Must be BUY or SELL.", "total_quantity": "Must be an integer."}
    gateway.canned.append(Canned(400, "INVALID_REQUEST", "several fields are not valid", {"fields": rules}))
    result = pulse(*PLACE)
    assert result.exit_code == 4
    assert result.stderr.splitlines()[-1] == (
        "pulse: several fields are not valid: side: Must be BUY or SELL.; total_quantity: Must be an integer"
        " (INVALID_REQUEST)."
    )


def test_a_key_used_for_another_order_names_that_order(gateway: FakeGateway, pulse: Pulse) -> None:
    details = {"existing_order_id": "ord_1", "differs": ["side"]}
    gateway.canned.append(Canned(409, "DUPLICATE_ORDER_UNIQUE_KEY", "this key was used before", details))
    result = pulse(*PLACE)
    assert result.exit_code == 4
    assert "ord_1" in result.stderr


def test_a_failure_of_the_gateway_is_exit_code_1(gateway: FakeGateway, pulse: Pulse) -> None:
    gateway.canned.append(Canned(500, "INTERNAL_ERROR", "something went wrong on our side"))
    assert pulse("orders", "list").exit_code == 1


def test_what_is_no_gateway_is_said_to_be_none(gateway: FakeGateway, pulse: Pulse) -> None:
    for raw in (b"<html>hello</html>", b"{}", b"[1]"):
        gateway.canned.append(Canned(200, raw=raw))
        result = pulse("orders", "list")
        assert result.exit_code == 3
        assert "does not answer like a gateway" in result.stderr


def test_an_expired_token_is_renewed_by_logging_in_again(gateway: FakeGateway, pulse: Pulse) -> None:
    gateway.canned.append(Canned(401, "UNAUTHORIZED", "the access token has expired"))
    assert pulse("orders", "list").exit_code == 0
    assert len(gateway.calls("POST", "/api/auth/login")) == 2


def test_a_token_is_used_as_it_is(gateway: FakeGateway, pulse: Pulse) -> None:
    assert pulse("orders", "list", PULSE_TOKEN=gateway.token).exit_code == 0
    assert pulse("orders", "list", PULSE_TOKEN="expired").exit_code == 4
    assert gateway.calls("POST", "/api/auth/login") == []


def test_a_wrong_password_is_refused(pulse: Pulse) -> None:
    result = pulse("orders", "list", PULSE_PASSWORD="wrong")
    assert (result.exit_code, result.stderr) == (4, "pulse: username or password is wrong (UNAUTHORIZED).\n")


@pytest.mark.parametrize(
    "changes",
    [
        {"PULSE_GATEWAY_URL": "127.0.0.1:8000"},
        {"PULSE_GATEWAY_URL": "http://127.0.0.1:8000/api"},
        {"PULSE_TOKEN": "two\nlines"},
        {"PULSE_USERNAME": None},
        {"PULSE_PASSWORD": None},
    ],
)
def test_what_cannot_be_a_gateway_or_a_login_is_wrong_usage(pulse: Pulse, changes: dict[str, str | None]) -> None:
    result = pulse("orders", "list", **changes)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_without_a_stack_and_without_a_gateway_the_way_out_is_named(pulse: Pulse) -> None:
    result = pulse("orders", "list", PULSE_GATEWAY_URL=None)
    assert result.exit_code == 3
    assert "--gateway" in result.stderr


def test_orders_are_listed_with_every_filter_the_api_has(gateway: FakeGateway, pulse: Pulse) -> None:
    gateway.add()
    options = ["--status", "done", "--instrument", "NSE:M&M", "--side", "sell", "--search", "leg 2", "--limit", "7"]
    options += ["--created-from", "2026-03-01", "--created-to", "2026-03-02T09:15:00+05:30"]
    assert pulse("orders", "list", *options).exit_code == 0
    [asked] = gateway.calls("GET", "/api/orders")
    assert {name: values[0] for name, values in asked.query.items()} == {
        "status": "DONE",
        "instrument": "NSE:M&M",
        "side": "SELL",
        "search": "leg 2",
        "created_from": "2026-03-01T00:00:00Z",
        "created_to": "2026-03-02T03:45:00Z",
        "limit": "7",
    }


def test_a_page_says_how_to_go_on_and_all_goes_on_by_itself(gateway: FakeGateway, pulse: Pulse) -> None:
    placed = [gateway.add() for _ in range(5)]
    page = pulse("orders", "list", "--limit", "2")
    assert "--cursor 2" in page.stderr
    everything = pulse("orders", "list", "--limit", "2", "--all", "--json")
    listed = json.loads(everything.stdout)
    assert [order["order_id"] for order in listed["orders"]] == placed[::-1]
    assert listed["next_cursor"] is None


def test_an_order_is_shown_with_its_slices_and_nothing_is_taken_for_markup(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(order_unique_key="[red]key[/red] :smile:", **FILLED)
    error = {"code": "MarginException", "message": "Insufficient funds [bold]"}
    gateway.slices[order_id] = [slice_answer(1), slice_answer(2, status="REJECTED", average_price=None, error=error)]
    result = pulse("orders", "show", order_id)
    assert result.exit_code == 0
    for text in ("[red]key[/red] :smile:", "100 of 100 at 1402.35", "MarginException: Insufficient funds [bold]"):
        assert text in result.stdout


def test_every_term_of_an_order_is_shown(gateway: FakeGateway, pulse: Pulse) -> None:
    terms = {"order_type": "LIMIT", "limit_price": "2510.50", "product": "MIS", "client_note": "leg 2 [bold]"}
    shown = pulse("orders", "show", gateway.add(**terms, slice_timeout_seconds=120)).stdout
    for text in ("LIMIT at 2510.50", "MIS", "120 s for a slice", "leg 2 [bold]", "2026-03-02 04:00:00Z to 2026-03-02"):
        assert text in shown


def test_json_keeps_every_field_of_the_answer(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(new_field={"of": "a later version"}, **FILLED)
    gateway.slices[order_id] = [slice_answer(1)]
    shown = json.loads(pulse("orders", "show", order_id, "--json").stdout)
    assert shown["order"]["new_field"] == {"of": "a later version"}
    assert shown["order"]["average_price"] == "1402.35"
    assert shown["slices"][0]["sent_at"] == "2026-03-02T04:00:00Z"


def test_an_unknown_order_is_refused(pulse: Pulse) -> None:
    for command in ("show", "slices", "watch", "events", "pause", "resume", "cancel"):
        result = pulse("orders", command, "../orders?x")
        assert (result.exit_code, result.stderr) == (4, "pulse: there is no such order (NOT_FOUND).\n")


def test_cancelling_shows_what_is_left(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add()
    assert pulse("orders", "cancel", order_id).stdout == f"{order_id} CANCELLED, UNFILLED: 0 of 100 filled\n"


def test_an_order_is_paused_and_goes_on(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    paused, resumed = pulse("orders", "pause", order_id), pulse("orders", "resume", order_id)
    assert (paused.stdout, resumed.stdout) == (
        f"{order_id} PAUSED: 0 of 100 filled\n",
        f"{order_id} IN_PROGRESS: 0 of 100 filled\n",
    )
    assert f"pulse orders resume {order_id}" in paused.stderr
    assert json.loads(pulse("orders", "pause", order_id, "--json").stdout)["status"] == "PAUSED"


def test_a_token_for_curl_is_all_that_is_printed(gateway: FakeGateway, pulse: Pulse) -> None:
    assert pulse("token").stdout == f"{gateway.token}\n"
    assert json.loads(pulse("token", "--json").stdout)["expires_in"] == 900


def test_the_code_of_a_second_factor_comes_from_its_variable(gateway: FakeGateway, pulse: Pulse) -> None:
    gateway.login_code = "492039"
    assert pulse("token", PULSE_LOGIN_CODE="492039").stdout == f"{gateway.token}\n"
    assert pulse("token", PULSE_LOGIN_CODE="000000").exit_code == 4
    without = pulse("token")
    assert (without.exit_code, "PULSE_LOGIN_CODE" in without.stderr) == (2, True)


@pytest.mark.parametrize("key", ["a/b", "..", "100% &?"])
def test_an_order_is_named_by_its_key(gateway: FakeGateway, pulse: Pulse, key: str) -> None:
    order_id = gateway.add(order_unique_key=key)
    shown = pulse("orders", "show", "--key", key, "--json")
    assert json.loads(shown.stdout)["order"]["order_id"] == order_id
    assert pulse("orders", "cancel", "--key", key, "--account", "acc_1").exit_code == 0
    [asked] = gateway.calls("DELETE", "/api/orders/by-key")
    assert asked.query == {"order_unique_key": [key], "account_id": ["acc_1"]}


def test_a_pause_calls_back_what_works_if_it_is_asked_to(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    assert pulse("orders", "pause", order_id).exit_code == 0
    assert pulse("orders", "pause", order_id, "--working", "cancel").exit_code == 0
    asked = gateway.calls("POST", f"/api/orders/{order_id}/pause")
    assert [one.query for one in asked] == [{}, {"working": ["cancel"]}]


@pytest.mark.parametrize("named", [[], ["ord_1", "--key", "a"], ["ord_1", "--account", "acc_1"]])
def test_a_command_is_about_one_order(gateway: FakeGateway, pulse: Pulse, named: list[str]) -> None:
    assert [pulse("orders", command, *named).exit_code for command in ("show", "cancel")] == [2, 2]
    assert gateway.seen == []


def test_an_amendment_shows_what_was_and_what_is(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    gateway.canned.extend([Canned(200, is_late=True, raw=json.dumps(gateway.orders[order_id]).encode())])
    gateway.canned.append(Canned(412, "PRECONDITION_FAILED", "it has changed since it was read", {"etag": '"2"'}))
    result = pulse("orders", "amend", order_id, "--total", "80", "--end", "2026-03-02T04:30", "--note", "less")
    assert result.exit_code == 0
    *_, sent = gateway.calls("PATCH", f"/api/orders/{order_id}")
    assert sent.body == {"total_quantity": 80, "end_at": "2026-03-02T04:30:00Z", "client_note": "less"}
    assert sent.if_match
    assert [word for word in ("100", "80", "less") if word in result.stdout] == ["100", "80", "less"]


def test_what_somebody_else_has_amended_meanwhile_is_left(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add({"total_quantity": 70}, status="IN_PROGRESS")
    gateway.orders[order_id]["last_event_id"] = 1
    original = gateway.answer

    def faster(seen: Seen) -> tuple[int, Any, dict[str, str]]:
        if seen.method != "PATCH":
            return original(seen)
        return 412, {"error": {"code": "PRECONDITION_FAILED", "message": "it has changed", "details": {}}}, {}

    gateway.answer = faster  # type: ignore[method-assign]
    assert pulse("orders", "amend", order_id, "--total", "80").exit_code == 4
    assert len(gateway.calls("PATCH", f"/api/orders/{order_id}")) == 1
    assert pulse("orders", "amend", order_id).exit_code == 2
