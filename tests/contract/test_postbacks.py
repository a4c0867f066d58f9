"""A broker's news is taken only with its signature, and has the book read; what it says is not believed."""

import json
from typing import Any

import pytest

from pulse_core.brokers.zerodha.postback import postback_checksum
from pulse_core.config import settings
from tests.contract.client import Service, error_of

ORDER_ID, AT = "2611230000000000001", "2026-11-23 11:30:00"


def news(**changes: Any) -> bytes:
    secret = settings().kite_api_secret.get_secret_value()
    body = {"order_id": ORDER_ID, "order_timestamp": AT, "status": "COMPLETE"}
    return json.dumps(body | {"checksum": postback_checksum(ORDER_ID, AT, secret)} | changes).encode()


@pytest.mark.usefixtures("clean_database")
def test_signed_news_is_taken_however_often_it_comes(gapi: Service) -> None:
    answers = [gapi.send("POST", "/api/postbacks/zerodha", data=news()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 202]


@pytest.mark.parametrize("changes", [{"checksum": "0" * 64}, {"order_id": "2611230000000000002"}, {"checksum": "é"}])
def test_news_without_its_signature_is_refused(gapi: Service, changes: dict[str, str]) -> None:
    status, code, _details = error_of(gapi.send("POST", "/api/postbacks/zerodha", data=news(**changes)))

    assert (status, code) == (403, "FORBIDDEN")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 20_000, b"null"])
def test_what_is_no_news_is_refused(gapi: Service, body: bytes) -> None:
    status, code, _details = error_of(gapi.send("POST", "/api/postbacks/zerodha", data=body))

    assert (status, code) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("changes", [{"order_id": 5}, {"order_timestamp": "x" * 65}, {"checksum": None}])
def test_news_with_an_odd_field_is_refused_by_name(gapi: Service, changes: dict[str, object]) -> None:
    refusal = gapi.send("POST", "/api/postbacks/zerodha", data=news(**changes))

    assert error_of(refusal) == (400, "INVALID_REQUEST", {"field": next(iter(changes))})


def test_too_long_news_is_refused(gapi: Service) -> None:
    answer = gapi.send("POST", "/api/postbacks/zerodha", data=b" " * 70_000)

    assert error_of(answer)[:2] == (413, "PAYLOAD_TOO_LARGE")


def test_pulse_takes_postbacks_from_the_gateway_only(pulse: Service, trader: Any) -> None:
    answer = pulse.send("POST", "/internal/postbacks/zerodha", trader, json={"body": "e30="})

    assert error_of(answer)[:2] == (403, "FORBIDDEN")
