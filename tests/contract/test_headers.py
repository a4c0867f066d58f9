"""Ids on every answer: the client's own when they are sane, new ones otherwise."""

import uuid

import pytest

from tests.contract.client import Account, Service

EVERYWHERE = ["/health", "/nowhere", "ORDERS", "ORDERS/x"]


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize("sent", ["0f8fad5b-d9cb-469f-a165-70867728950e", "a", "A-z_0.9" * 9 + "x"])
def test_sane_ids_come_back(service: Service, path: str, sent: str) -> None:
    headers = {"X-Request-Id": sent, "X-Trace-Id": sent[::-1]}
    answer = service.send("GET", path.replace("ORDERS", service.orders), headers=headers)
    assert (answer.headers["X-Request-Id"], answer.headers["X-Trace-Id"]) == (sent, sent[::-1])


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a/b", "{}", "<script>", "é".encode("latin-1"), "a,b", "a;b=c"])
def test_other_ids_are_replaced_by_new_ones(service: Service, sent: str | bytes) -> None:
    answer = service.send("GET", "/nowhere", headers={"X-Request-Id": sent, "X-Trace-Id": sent})  # type: ignore[dict-item]
    assert uuid.UUID(answer.headers["X-Request-Id"]) != uuid.UUID(answer.headers["X-Trace-Id"])


def test_ids_stand_once_on_an_answer_that_came_through_both_services(gapi: Service, trader: Account) -> None:
    answer = gapi.send("GET", "/api/orders", trader, headers={"X-Request-Id": "mine"})
    assert answer.headers["X-Request-Id"] == "mine"


@pytest.mark.parametrize(
    "sent",
    ["/health", "/api/orders", "/internal/orders", "/internal/sessions", "/api/auth/login", "/openapi.json", "/docs"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_every_method_on_every_path_is_answered_with_ids_and_no_5xx(service: Service, method: str, sent: str) -> None:
    assert service.send(method, sent).status_code < 500


def test_a_login_is_not_cached(gapi: Service, trader: Account) -> None:
    body = {"username": trader.username, "password": trader.password}
    assert gapi.send("POST", "/api/auth/login", json=body).headers["Cache-Control"] == "no-store"


def test_metrics_count_by_route_not_by_path(service: Service, trader: Account) -> None:
    service.send("GET", f"{service.orders}/ord_secret", trader)
    text = service.send("GET", "/metrics").text
    assert f'{service.name}_requests_total{{method="GET",route="{service.orders}/<order_id>",status="404"}}' in text
    assert "ord_secret" not in text
