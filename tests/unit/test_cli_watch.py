"""`pulse orders watch`: an order followed to its end, whatever happens to the gateway or the terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pulse_ops.cli.interrupts import heard_interrupts
from tests.support.gateway import AT, FILLED, FakeGateway, Pulse
from tests.support.processes import wait_until


def test_watching_shows_each_change_once_and_ends_with_the_order(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add({"status": "IN_PROGRESS", "filled_quantity": 20, "average_price": "1402"}, {}, FILLED)
    result = pulse("orders", "watch", order_id)
    assert result.exit_code == 0
    assert [line.partition(" ")[2] for line in result.stderr.splitlines()] == [
        "PENDING: 0 of 100 filled",
        "IN_PROGRESS: 20 of 100 filled at 1402",
        "DONE, FILLED: 100 of 100 filled at 1402.35, 5 of 5 slices",
    ]
    assert result.stdout.startswith(f"{order_id} DONE, FILLED")


def test_watching_for_a_program_is_a_line_of_json_for_each_change(gateway: FakeGateway, pulse: Pulse) -> None:
    order_id = gateway.add(FILLED)
    lines = pulse("orders", "watch", order_id, "--json").stdout.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["PENDING", "DONE"]


@pytest.mark.parametrize(
    "end",
    [
        FILLED | {"result": "PARTIALLY_FILLED", "filled_quantity": 60},
        {"status": "CANCELLED", "result": "UNFILLED", "finished_at": AT},
        {"status": "SKIPPED", "skip_reason": "the window had passed", "finished_at": AT},
    ],
    ids=lambda end: str(end["status"]),
)
def test_watching_an_order_that_ends_unfilled_is_exit_code_5(
    gateway: FakeGateway, pulse: Pulse, end: dict[str, Any]
) -> None:
    assert pulse("orders", "watch", gateway.add(**end)).exit_code == 5


def test_ctrl_c_ends_the_watching_and_not_the_order(gateway: FakeGateway, variables: dict[str, str]) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    watching = _start_watching(gateway, variables, order_id)
    watching.send_signal(signal.SIGINT)
    _stdout, stderr = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert "The order continues" in stderr
    assert "Traceback" not in stderr
    assert gateway.calls("DELETE", f"/api/orders/{order_id}") == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_came_while_an_object_was_cleaned_up_is_heard_all_the_same() -> None:
    class Cleaned:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    def wait() -> None:
        Cleaned()
        time.sleep(20)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with heard_interrupts() as check_interrupt:
            check_interrupt()
            Cleaned()
            with pytest.raises(KeyboardInterrupt):
                check_interrupt()
        # Where nothing asks, as in a wait for the next event, it comes again by itself.
        with heard_interrupts(), pytest.raises(KeyboardInterrupt):
            wait()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_watching_outlives_a_gateway_that_is_restarted(gateway: FakeGateway, variables: dict[str, str]) -> None:
    order_id = gateway.add(status="IN_PROGRESS")
    watching = _start_watching(gateway, variables, order_id)
    gateway.stop()
    assert watching.stderr is not None
    wait_until(lambda: "waiting for the gateway" in watching.stderr.readline(), what="word of the outage")
    gateway.orders[order_id] |= FILLED
    gateway.start()
    watching.communicate(timeout=20)
    assert watching.returncode == 0


def _start_watching(gateway: FakeGateway, variables: dict[str, str], order_id: str) -> "subprocess.Popen[str]":
    command = [str(Path(sys.executable).with_name("pulse")), "orders", "watch", order_id]
    # Whoever runs the tests in the background has Ctrl-C ignored, and children inherit that.
    listen_to_ctrl_c = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    watching = subprocess.Popen(
        command,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    )
    wait_until(lambda: gateway.calls("GET", f"/api/orders/{order_id}"), what="a first look at the order")
    return watching
