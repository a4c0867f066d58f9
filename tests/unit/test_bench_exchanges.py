"""The exchanges of several accounts at one address: each request reaches the account whose key it bears."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bench.desks import keys_of, ledger_of, names_of
from bench.exchanges import ByApiKey, _exchange, api_key
from pulse_ops.paper_exchange.ledger import Ledger

FORM = b"request_token=t&api_key=desk-2-api-key&checksum=c"


def environ(method: str = "GET", query: str = "", body: bytes = b"", **headers: str) -> dict[str, Any]:
    names = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {"REQUEST_METHOD": method, "QUERY_STRING": query, "wsgi.input": io.BytesIO(body), **names}


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (environ(authorization="token desk-2-api-key:its-token"), "desk-2-api-key"),
        (environ(query="api_key=desk-2-api-key&v=3"), "desk-2-api-key"),
        (environ("POST", body=FORM), "desk-2-api-key"),
        (environ(authorization="Bearer desk-2-api-key"), ""),
        (environ("POST", body=b"quantity=1"), ""),
        (environ(), ""),
    ],
)
def test_the_key_stands_in_the_token_the_query_or_the_form(request_: dict[str, Any], key: str) -> None:
    assert api_key(request_) == key


def test_a_request_goes_to_the_exchange_of_its_key_with_its_form_unread() -> None:
    reached: list[tuple[str, bytes]] = []

    def an_exchange(name: str) -> Any:
        def serve(request: dict[str, Any], _start_response: object) -> Iterable[bytes]:
            reached.append((name, request["wsgi.input"].read()))
            return ()

        return serve

    served = ByApiKey({keys_of(name).api_key: an_exchange(name) for name in names_of(2)})
    for request in (environ("POST", body=FORM), environ(authorization="token somebody:else"), environ()):
        served(request, lambda *_: lambda _: None)

    assert reached == [("desk-2", FORM), ("desk-1", b""), ("desk-1", b"")]


def test_orders_of_no_two_accounts_have_the_same_number(tmp_path: Path) -> None:
    exchanges = [_exchange(tmp_path, name, keys_of(name), 0, "") for name in names_of(2)]
    born = {one.books._ledger_id for one in exchanges}
    for one in exchanges:
        one.close()

    assert len(born) == 2
    for name in names_of(2):
        with Ledger(ledger_of(tmp_path, name)) as ledger:
            assert ledger.orders() == []
