"""What the doctor makes of the rows of processes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pulse_ops.doctor.findings import Finding, Trouble
from pulse_ops.doctor.gateway import is_ready
from pulse_ops.doctor.processes import Reported, code_agrees, each_goes_on, settings_agree

ALIVE = Reported("worker-control", "back-1", 7, "0.1.0", "0039", "d" * 64, {"PULSE_LEASE": "30.0"}, 0.0, None, 600, 2)
GONE = replace(ALIVE, seen_seconds=60)
FLOWER = replace(GONE, kind="flower", host="front-1", schema_revision=None, shared_settings=None)
GAPI = replace(FLOWER, kind="gapi")
PULSE = replace(ALIVE, kind="pulse")


@pytest.mark.parametrize(
    ("silent", "writer", "trouble"),
    [
        (FLOWER, ALIVE, Trouble.FLOWER_AWAY),
        (FLOWER, replace(ALIVE, kind="worker"), Trouble.FLOWER_AWAY),
        (FLOWER, GONE, None),
        (FLOWER, PULSE, None),
        (GAPI, PULSE, Trouble.GATEWAY_AWAY),
        (GAPI, ALIVE, None),
    ],
)
def test_who_is_written_down_by_another_is_missed_only_while_that_one_lives(
    silent: Reported, writer: Reported, trouble: Trouble | None
) -> None:
    [found] = [one for one in each_goes_on([silent, writer]) if one.check == silent.kind]
    assert found.trouble is trouble
    if trouble is None:
        assert found.verdict.startswith("not known: no ")


def test_what_reaches_no_database_is_made_for_no_revision_and_has_no_shared_settings() -> None:
    gateway = replace(GAPI, seen_seconds=1, settings_digest="e" * 64)

    assert list(code_agrees([ALIVE, gateway], "0039")) == []
    assert [one.verdict for one in settings_agree([ALIVE, gateway])] == ["are the same in all processes"]


@contextmanager
def a_service_that_is_unavailable(body: str) -> Iterator[str]:
    class Unavailable(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Unavailable) as server:
        Thread(target=server.handle_request).start()
        yield f"http://127.0.0.1:{server.server_port}/ready"


def found_at(name: str, body: str) -> Finding:
    with a_service_that_is_unavailable(body) as url:
        [found] = is_ready(name, url)
    return found


@pytest.mark.parametrize("name", ["gapi", "pulse"])
def test_a_service_that_waits_for_another_is_not_to_be_started(name: str) -> None:
    lacks = {"error": {"code": "SERVICE_UNAVAILABLE", "details": {"missing": ["postgres"]}}}
    found = found_at(name, json.dumps(lacks))
    assert (found.trouble, found.verdict) == (Trouble.SERVICE_WAITS, f"{Trouble.SERVICE_WAITS.meaning}: postgres")


@pytest.mark.parametrize("body", ["Bad gateway", "[]", '{"error": {"details": {"missing": []}}}', '{"error": null}'])
def test_who_does_not_say_what_it_lacks_is_not_ready(body: str) -> None:
    assert found_at("gapi", body).trouble is Trouble.GATEWAY_AWAY
