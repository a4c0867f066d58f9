"""`pulse orders events` and `slices`: what happened to an order, by the page and to its end."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pulse_client import following
from tests.support.gateway import FILLED, Canned, FakeGateway, Pulse, event_answer, slice_answer
from tests.support.processes import wait_until

PLACED, STARTED = event_answer(1, "order.pending"), event_answer(4, "slice.filled", reason="filled [bold]")
ENDED = event_answer(9, "order.done")


@pytest.fixture(autouse=True)
def no_pause_between_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RECONNECT_SECONDS", 0.01)


def numbers(lines: str) -> list[int]:
    return [json.loads(line)["event_id"] for line in lines.splitlines()]


def test_a_page_of_events_says_how_to_go_on(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [PLACED, STARTED, ENDED]
    page = pulse("orders", "events", order_id, "--limit", "2")
    assert page.exit_code == 0
    for text in ("order.pending", "2026-03-02 04:00:00Z", f"sl_{1:026d}", "filled [bold]"):
        assert text in page.stdout
    assert "order.done" not in page.stdout
    assert "--after 4" in page.stderr


def test_pages_of_events_for_a_program(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add()
    gateway.events[order_id] = [PLACED, STARTED, ENDED]
    page = json.loads(pulse("orders", "events", order_id, "--after", "1", "--limit", "1", "--json").stdout)
    assert page == {"events": [STARTED | {"at": "2026-03-02T04:00:00Z"}], "next_after": 4, "next_cursor": "4"}
    everything = json.loads(pulse("orders", "events", order_id, "--all", "--json").stdout)
    assert [one["event_id"] for one in everything["events"]] == [1, 4, 9]


def test_following_goes_through_a_cut_stream_to_the_end_of_the_order(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add({}, {}, FILLED, status="IN_PROGRESS")
    gateway.events[order_id] = [PLACED, STARTED]
    gateway.canned.extend([Canned(503, is_late=True), Canned(0)])
    result = pulse("orders", "events", order_id, "--follow", "--json")
    assert result.exit_code == 0
    assert numbers(result.stdout) == [1, 4]


def test_following_ends_with_the_event_that_ends_the_order(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add({}, FILLED, status="IN_PROGRESS")
    gateway.events[order_id] = [PLACED, ENDED]
    result = pulse("orders", "events", order_id, "--follow", "--after", "1")
    assert result.exit_code == 0
    assert result.stdout.split()[:3] == ["9", "2026-03-02", "04:00:00Z"]
    assert result.stdout.count("order.done") == 1


def test_an_order_that_has_ended_is_told_of_and_no_stream_is_opened(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(**FILLED)
    gateway.events[order_id] = [PLACED, ENDED, event_answer(11, "order.request", to_status=None)]
    assert numbers(pulse("orders", "events", order_id, "--follow", "--json").stdout) == [1, 9, 11]
    assert all(one.last_event_id is None for one in gateway.seen)


def test_following_outlives_a_gateway_that_is_restarted(gateway: FakeGateway, variables: dict[str, str]) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    gateway.events[order_id] = [PLACED]
    following = _start_following(variables, order_id)
    assert following.stdout is not None
    assert following.stderr is not None
    assert "order.pending" in following.stdout.readline()
    gateway.stop()
    wait_until(lambda: "waiting for the gateway" in following.stderr.readline(), what="word of the outage")
    gateway.orders[order_id] |= FILLED
    gateway.events[order_id].append(ENDED)
    gateway.start()
    stdout, _stderr = following.communicate(timeout=20)
    assert (following.returncode, stdout.count("order.pending"), stdout.count("order.done")) == (0, 0, 1)


def test_ctrl_c_says_how_to_go_on(gateway: FakeGateway, variables: dict[str, str]) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    gateway.events[order_id] = [PLACED, STARTED]
    following = _start_following(variables, order_id)
    assert following.stdout is not None
    assert "order.pending" in following.stdout.readline()
    assert "slice.filled" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _stdout, stderr = following.communicate(timeout=20)
    assert following.returncode == 130
    # Interrupted between a line and the note of it, it shows that event again: none is left out.
    assert re.search(f"pulse orders events {order_id} --follow --after [14]\n", stderr)
    assert "Traceback" not in stderr


def test_slices_are_listed_with_their_ids_page_by_page(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add()
    gateway.slices[order_id] = [slice_answer(number) for number in range(1, 6)]
    page = pulse("orders", "slices", order_id, "--after", "1", "--limit", "2")
    assert [f"sl_{number:026d}" in page.stdout for number in range(1, 6)] == [False, True, True, False, False]
    assert "--after 3" in page.stderr
    last = json.loads(pulse("orders", "slices", order_id, "--after", "3", "--limit", "2", "--json").stdout)
    assert ([one["sequence_number"] for one in last["slices"]], last["next_after"]) == ([4, 5], None)


def _start_following(variables: dict[str, str], order_id: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("pulse")), "orders", "events", order_id, "--follow"]
    # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
    listen_to_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    )
