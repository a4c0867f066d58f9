"""Which cell is asked, how a file of cells is read, and how the lists of several become one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_contract.errors import InvalidRequest, NotFound, ServiceUnavailable
from api_contract.scopes import GATEWAY, Caller, Role
from api_contract.service_keys import make_private_key, read_private_key
from gapi_app.cells.directory import BadCells, Cell, Cells, one_cell, read_cells
from gapi_app.cells.link import Answer, Call
from gapi_app.cells.routing import Router
from gapi_app.cells.tags import tagged, untagged
from gapi_app.config import Settings
from gapi_app.errors import Refused, UpstreamTimeout

KEY = read_private_key(make_private_key("gapi", "gapi-1"))
MAIN, DELHI = Cell("main", "http://127.0.0.1:1", KEY), Cell("delhi", "http://127.0.0.1:2", KEY, "delhi")
CELLS = Cells(MAIN, {"delhi": DELHI}, {"asha": "delhi", "delhi-*": "delhi", "delhi-m-*": "main"})
GOOD: dict[str, Any] = {
    "default": "main",
    "cells": {
        "main": {"url": "http://10.0.1.5:8001"},
        "delhi": {"url": "http://10.0.2.5:8001", "users": ["asha", "d-*"]},
    },
}
AN_ORDER, AN_ACCOUNT = "ord_01M83H8RHMTHDRXSMTYCVNSZWN", "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B"
OPERATOR, TRADER = Caller(AN_ACCOUNT, Role.OPERATOR), Caller(AN_ACCOUNT, Role.TRADER, cell="delhi")


def written(folder: Path, content: object) -> Path:
    path = folder / "cells.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_file_names_the_cells_and_whose_account_is_where(tmp_path: Path) -> None:
    cells = read_cells(written(tmp_path, GOOD), KEY)
    assert [(one.name, one.tag) for one in cells] == [("main", None), ("delhi", "delhi")]
    assert [cells.of_user(name).name for name in ("asha", "d-7", "ashan", "d", "")] == [
        "delhi",
        "delhi",
        "main",
        "main",
        "main",
    ]
    assert cells.named(None) is cells.default
    assert cells.named("pune") is None


def test_a_cell_may_have_a_key_of_its_own(tmp_path: Path) -> None:
    own = tmp_path / "delhi.json"
    own.write_text(make_private_key("gapi", "gapi-delhi"))
    content = {**GOOD, "cells": GOOD["cells"] | {"delhi": {"url": "http://d", "service_private_key": str(own)}}}
    assert [one.key.kid for one in read_cells(written(tmp_path, content), KEY)] == ["gapi-1", "gapi-delhi"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "names a file that is no JSON"),
        ("[]", "names a file that is no JSON object"),
        ('{"default": "a", "default": "b"}', 'has "default" twice in one object'),
        ({"default": "main"}, 'must have "cells"'),
        ({"default": "main", "cells": {}}, 'must have "cells"'),
        ({**GOOD, "default": "pune"}, 'must have "default"'),
        ({"cells": GOOD["cells"]}, 'must have "default"'),
        ({**GOOD, "default": ["main"]}, 'must have "default"'),
        ({**GOOD, "users": []}, 'has "users", which is not known'),
        ({"default": "Main", "cells": {"Main": {"url": "http://a"}}}, 'has the cell "Main": a name has 1 to 16'),
        ({"default": "a", "cells": {"a": {"url": "a:8001"}}}, 'has the cell a without a "url"'),
        ({"default": "a", "cells": {"a": {"url": "http://a/internal"}}}, 'has the cell a without a "url"'),
        ({"default": "a", "cells": {"a": 7}}, 'has the cell a without a "url"'),
        ({"default": "a", "cells": {"a": {"url": "http://a", "key": 1}}}, 'has "key" in the cell a'),
        ({"default": "a", "cells": {"a": {"url": "http://a", "users": "x"}}}, 'has "users" of the cell a that are no'),
        ({"default": "a", "cells": {"a": {"url": "http://a", "users": ["A"]}}}, "has a user of the cell a that is"),
        ({"default": "a", "cells": {"a": {"url": "http://a", "users": ["*"]}}}, "has a user of the cell a that is"),
        ({"default": "a", "cells": {"a": {"url": "http://a", "users": ["x", "x"]}}}, "has the user x in the cells a"),
        ({"default": "a", "cells": {"a": {"url": "http://a"}, "b": {"url": "http://a"}}}, "has two cells with one url"),
        (
            {"default": "a", "cells": {"a": {"url": "http://a", "service_private_key": "/no/such"}}},
            "has the cell a, whose service_private_key is neither a JWK",
        ),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, content: object, fault: str) -> None:
    with pytest.raises(BadCells) as refused:
        read_cells(written(tmp_path, content), KEY)
    assert str(refused.value).startswith(fault)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCells, match="cannot be read"):
        read_cells(tmp_path / "none", KEY)


def test_the_longest_start_of_a_name_decides() -> None:
    assert [CELLS.of_user(name) for name in ("delhi-1", "delhi-m-1", "asha", "asha2")] == [DELHI, MAIN, DELHI, MAIN]


@given(st.text(), st.sampled_from([None, "delhi", "a-b"]))
def test_what_was_tagged_is_told_apart_again(text: str, tag: str | None) -> None:
    made = text.replace(".", "")
    assert untagged(tagged(made, tag)) == (made, tag)


class FakeLink:
    """A cell with orders by id, newest first, paged by the last id as its cursor."""

    def __init__(self, cell: Cell, ids: tuple[str, ...] = ()) -> None:
        self.cell, self.is_away = cell, False
        self.ids = sorted(ids, reverse=True)
        self.calls: list[str] = []
        self.fault: Exception | None = None

    def ask(self, call: Call) -> Answer:
        self.calls.append(f"{call.method} {call.path}")
        if self.fault is not None:
            raise self.fault
        if "limit=" not in call.path:
            return Answer(200, {}, self.cell)
        query = {name: value for name, [value] in parse_qs(urlsplit(call.path).query).items()}
        is_rising, limit, beyond = query.get("sort") == "created_at", int(query["limit"]), query.get("cursor")
        found = [
            one
            for one in (self.ids[::-1] if is_rising else self.ids)
            if beyond is None or (one > beyond if is_rising else one < beyond)
        ]
        shown = [{"order_id": one} for one in found[:limit]]
        return Answer(
            200,
            {
                "orders": shown,
                "next_cursor": found[limit - 1] if len(found) > limit else None,
                "last_event_id": None,
            },
            self.cell,
        )


def router(main: tuple[str, ...] = (), delhi: tuple[str, ...] = ()) -> tuple[Router, FakeLink, FakeLink]:
    settings = Settings.model_construct(pulse_answer_timeout=1.0, pulse_connect_timeout=1.0)
    made, links = Router(CELLS, settings), (FakeLink(MAIN, main), FakeLink(DELHI, delhi))
    made._links = {link.cell.name: link for link in links}  # type: ignore[misc]
    return made, *links


def call(path: str, who: Caller = OPERATOR, method: str = "GET") -> Call:
    return Call(method, path, who, {200})


ids = st.lists(st.text("abcd", min_size=1, max_size=4), unique=True, max_size=12)


@given(ids, st.data(), st.integers(1, 5), st.sampled_from(["created_at", "-created_at"]))
def test_a_merged_list_shows_everything_once_and_in_its_order(
    found: list[str], data: st.DataObject, limit: int, sort: str
) -> None:
    is_in_main = [data.draw(st.booleans()) for _ in found]
    main = tuple(one for one, here in zip(found, is_in_main, strict=True) if here)
    made, *_links = router(main, tuple(set(found) - set(main)))
    shown: list[Mapping[str, Any]] = []
    cursor = ""
    while True:
        body = made.ask(call(f"/internal/orders?limit={limit}&sort={sort}{cursor}")).body
        assert len(body["orders"]) <= limit
        shown += body["orders"]
        if body["next_cursor"] is None:
            break
        assert body["orders"], "a page that says nothing has no other after it"
        cursor = f"&cursor={body['next_cursor']}"
    assert [one["order_id"] for one in shown] == sorted(found, reverse=sort != "created_at")
    assert {one["order_id"] for one in shown if one["cell"] == "main"} == set(main)
    assert body["unreachable_cells"] == []


def test_a_cell_that_is_away_is_named_and_goes_on_where_it_was() -> None:
    made, main, delhi = router(("a", "c"), ("b", "d"))
    delhi.fault = UpstreamTimeout("late")
    first = made.ask(call("/internal/orders?limit=1")).body
    assert [one["order_id"] for one in first["orders"]] == ["c"]
    assert first["unreachable_cells"] == ["delhi"]
    delhi.fault = None
    second = made.ask(call(f"/internal/orders?limit=9&cursor={first['next_cursor']}")).body
    assert [one["order_id"] for one in second["orders"]] == ["d", "b", "a"]
    assert second["unreachable_cells"] == []
    # Nothing is waited for that is known to be away, and no list goes on for its sake alone.
    delhi.is_away, delhi.calls = True, []
    last = made.ask(call("/internal/orders?limit=2")).body
    assert (last["next_cursor"], last["unreachable_cells"], delhi.calls) == (None, ["delhi"], [])
    main.is_away = True
    with pytest.raises(ServiceUnavailable):
        made.ask(call("/internal/orders?limit=2"))


@pytest.mark.parametrize(
    "cursor", ["x", "bm9uZQ==", "e30=", "W10=", "eyJwdW5lIjoiIn0=", "eyJtYWluIjo3fQ==", "eyJtYWluIjoiw6kifQ==", "===="]
)
def test_a_cursor_that_was_not_given_out_is_refused(cursor: str) -> None:
    made, *_links = router()
    with pytest.raises(InvalidRequest):
        made.ask(call(f"/internal/orders?limit=1&cursor={cursor}"))


def test_a_place_in_one_cell_is_none_in_the_list_of_all() -> None:
    made, *_links = router()
    with pytest.raises(InvalidRequest):
        made.ask(call("/internal/accounts?limit=1&after=asha"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/internal/orders?limit=5"),
        ("GET", f"/internal/orders/{AN_ORDER}"),
        ("DELETE", f"/internal/orders/{AN_ORDER}"),
        ("POST", "/internal/orders"),
        ("GET", "/internal/me"),
        ("GET", "/internal/events?after=0"),
    ],
)
def test_who_trades_reaches_his_own_cell_alone(method: str, path: str) -> None:
    made, main, delhi = router()
    made.ask(call(path, TRADER, method))
    assert (len(main.calls), len(delhi.calls)) == (0, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/internal/orders"),
        ("POST", "/internal/orders/preview"),
        ("GET", "/internal/me"),
        ("DELETE", "/internal/sessions/ses_1"),
        ("POST", "/internal/sessions/password"),
        ("POST", "/internal/second-factor/confirm"),
        ("POST", "/internal/keys"),
        ("DELETE", f"/internal/keys/{AN_ACCOUNT}"),
        ("POST", "/internal/webhooks"),
        ("GET", "/internal/orders/by-key/my-order-1"),
        ("GET", "/internal/installation"),
        ("GET", "/internal/markets/NSE"),
    ],
)
def test_what_is_an_operators_own_is_asked_in_his_cell(method: str, path: str) -> None:
    made, main, delhi = router()
    made.ask(call(path, method=method))
    assert (len(main.calls), len(delhi.calls)) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/internal/orders/{AN_ORDER}"),
        ("PATCH", f"/internal/orders/{AN_ORDER}"),
        ("POST", f"/internal/orders/{AN_ORDER}/slices/sl_01M83H8RQ2V6SC3M4Y2KT5Z0E7/retry"),
        ("POST", "/internal/alarms/alm_01M83HE5F6G7H8J9K0M1N2P3Q4/resolve"),
        ("PATCH", f"/internal/accounts/{AN_ACCOUNT}"),
        ("DELETE", "/internal/keys/all/key_01M83HB0R4T5Y6W7X8Z9A0B1C2"),
        ("POST", "/internal/webhooks/all/whk_01M83HC3D4E5F6G7H8J9K0M1N2/disable"),
        ("PUT", f"/internal/broker-accounts/paper/grants/{AN_ACCOUNT}"),
        ("GET", f"/internal/orders/by-key/my?account_id={AN_ACCOUNT}"),
    ],
)
def test_what_has_an_id_is_looked_for_until_a_cell_has_it(method: str, path: str) -> None:
    made, main, delhi = router()
    main.fault = Refused(404, "NOT_FOUND", "there is no such thing", {})
    assert made.ask(call(path, method=method)).cell is DELHI
    delhi.fault = Refused(409, "INVALID_STATE", "not now", {})
    with pytest.raises(Refused, match="not now"):
        made.ask(call(path, method=method))
    # Nobody who was asked has it, but one was not heard: it may be there.
    delhi.fault = UpstreamTimeout("late")
    with pytest.raises(UpstreamTimeout):
        made.ask(call(path, method=method))
    delhi.fault = main.fault
    with pytest.raises(Refused, match="there is no such thing"):
        made.ask(call(path, method=method))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/internal/broker-accounts"),
        ("GET", "/internal/broker-accounts/paper/grants"),
        ("POST", "/internal/broker-accounts/paper/login"),
        ("GET", "/internal/instrument-loads"),
        ("POST", "/internal/instrument-loads"),
        ("GET", "/internal/events/all?after=0&limit=5"),
        ("GET", f"/internal/events?after=0&account_id={AN_ACCOUNT}"),
        ("GET", "/internal/alarms/events?after=0&limit=5"),
        ("POST", "/internal/anything-new"),
    ],
)
def test_where_one_cell_could_be_taken_for_another_it_must_be_named(method: str, path: str) -> None:
    made, main, delhi = router()
    with pytest.raises(InvalidRequest) as refused:
        made.ask(call(path, method=method))
    assert refused.value.details["cells"] == ["main", "delhi"]
    assert not main.calls
    assert not delhi.calls


def test_a_postback_is_shown_to_each_until_one_takes_it() -> None:
    made, main, delhi = router()
    main.fault = Refused(403, "FORBIDDEN", "the signature is wrong", {})
    posted = call("/internal/postbacks/zerodha", GATEWAY, "POST")
    assert made.ask_until_taken(posted).cell is DELHI
    delhi.fault = ServiceUnavailable("away")
    with pytest.raises(ServiceUnavailable):
        made.ask_until_taken(posted)
    delhi.fault = main.fault
    with pytest.raises(Refused, match="the signature is wrong"):
        made.ask_until_taken(posted)


def test_what_each_must_do_is_asked_of_each_whoever_is_away() -> None:
    made, main, delhi = router()
    main.fault = ServiceUnavailable("away")
    with pytest.raises(ServiceUnavailable):
        made.ask_each(call("/internal/revocations", GATEWAY, "POST"))
    assert (len(main.calls), len(delhi.calls)) == (1, 1)


def test_with_one_cell_everything_is_asked_there() -> None:
    settings = Settings.model_construct(pulse_answer_timeout=1.0, pulse_connect_timeout=1.0)
    made, link = Router(one_cell("http://127.0.0.1:1", KEY), settings), FakeLink(MAIN)
    made._links = {"main": link}  # type: ignore[dict-item]
    made.ask(call("/internal/anything-new", method="POST"))
    link.fault = NotFound("no")
    with pytest.raises(NotFound):
        made.ask(call(f"/internal/orders/{AN_ORDER}"))
    assert len(link.calls) == 2
