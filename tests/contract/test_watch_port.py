"""Readiness and metrics have a port of their own, and cost little however often they are asked for."""

import re
from urllib.parse import urlsplit

import pytest
import requests

from tests.contract.client import Account, Service
from tests.support.processes import WATCHED_AT


@pytest.mark.parametrize("path", ["/ready", "/metrics", "/metrics/", "/ready?x=1"])
def test_the_port_of_clients_has_neither(service: Service, path: str) -> None:
    answer = requests.get(service.url + path, timeout=10)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "NOT_FOUND"


def test_the_port_of_its_own_has_both_and_nothing_else(service: Service, trader: Account) -> None:
    watched = WATCHED_AT[service.url]
    assert urlsplit(watched).port != urlsplit(service.url).port
    assert requests.get(f"{watched}/ready", timeout=10).json()["status"] == "ready"
    metrics = requests.get(f"{watched}/metrics", timeout=10)
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    assert f"# TYPE {service.name}_requests_total counter" in metrics.text
    for method, path in (("GET", "/health"), ("GET", service.orders), ("GET", "/"), ("POST", "/ready")):
        assert requests.request(method, watched + path, timeout=10).status_code == 404


def test_answers_are_made_once_a_second_at_most(gapi: Service, pulse: Service) -> None:
    def asked() -> float:
        text = requests.get(f"{WATCHED_AT[pulse.url]}/metrics", timeout=10).text
        found = re.search(r'pulse_requests_total\{method="GET",route="/internal/ready",status="200"\} ([\d.]+)', text)
        return float(found[1]) if found else 0.0

    before = asked()
    answers = [requests.get(f"{WATCHED_AT[gapi.url]}/ready", timeout=10) for _ in range(60)]
    assert {answer.status_code for answer in answers} == {200}
    # However slow this machine is: a request takes less than half a second.
    assert asked() - before < 30
