"""One request can be followed from the gateway's log to the task message, and no log tells a secret."""

import json
import secrets
from typing import Any

import redis

from api_contract.spans import trace_of
from tests.contract.client import Account, Service, new_order
from tests.support.processes import wait_until

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def lines_of(service: Service, request_id: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("request_id") == request_id]


def test_the_ids_reach_both_logs_and_the_message(
    gapi: Service, pulse: Service, trader: Account, environment: dict[str, str]
) -> None:
    request_id = secrets.token_hex(8)
    ids = {"X-Request-Id": request_id, "X-Trace-Id": f"t-{request_id}", "traceparent": TRACEPARENT}
    order_id = gapi.send("POST", gapi.orders, trader, headers=ids, json=new_order()).json()["order_id"]

    steps = [TRACEPARENT]
    for service, path in ((gapi, "/api/orders"), (pulse, "/internal/orders")):
        [line] = [line for line in lines_of(service, request_id) if line["event"] == "request answered"]
        assert (line["service"], line["method"], line["path"]) == (service.name, "POST", path)
        assert line["trace_id"] == f"t-{request_id}"
        assert trace_of(line["traceparent"]) == trace_of(TRACEPARENT)
        steps.append(line["traceparent"])
        assert line["duration_ms"] > 0

    def messages() -> list[dict[str, Any]]:
        with redis.Redis.from_url(environment["PULSE_QUEUE_URL"]) as client:
            found = [json.loads(message) for message in client.lrange("control", 0, -1)]
        return [message for message in found if message["headers"].get("request_id") == request_id]

    wait_until(messages, what="the wake-up of the split")
    [message] = messages()
    assert message["headers"]["task"] == "pulse.split_order"
    assert len(set(steps)) == 3, "each step has an id of its own"
    assert message["headers"]["traceparent"] == steps[-1], "pulse sent the message"
    assert order_id in message["headers"]["argsrepr"]


def test_logs_hold_one_line_for_each_request_and_no_secret(service: Service, trader: Account) -> None:
    request_id = secrets.token_hex(8)
    login = "/api/auth/login" if service.name == "gapi" else "/internal/sessions"
    credentials = {"username": trader.username, "password": trader.password}
    sent = service.send("POST", login, trader, headers={"X-Request-Id": request_id}, json=credentials).request
    text = service.log.read_text()
    assert len(lines_of(service, request_id)) == 1
    for secret in (trader.password, sent.headers["Authorization"].rpartition(".")[2], service.key):
        assert secret not in text


def test_a_path_or_method_cannot_forge_a_line(service: Service) -> None:
    request_id = secrets.token_hex(8)
    headers = {"X-Request-Id": request_id}
    service.send("GET", "/%0a%7B%22event%22:%22forged%22%7D", headers=headers)
    service.send("FORGED", "/x", headers=headers)
    assert [(line["method"], line["path"]) for line in lines_of(service, request_id)] == [
        ("GET", "unmatched"),
        ("OTHER", "unmatched"),
    ]
    assert "forged" not in service.log.read_text().lower()
