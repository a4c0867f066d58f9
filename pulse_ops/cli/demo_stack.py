"""The stack a demo trades on: the one that runs, or one of its own that ends with it."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pulse_ops.cli.output import say
from pulse_ops.stack import lock, running
from pulse_ops.stack.child import Child, Program, wait_until_ready
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import NotRunning, StackError
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.preflight import make_data_dir
from pulse_ops.stack.running import RunningStack

START_SECONDS = 120.0
STOP_SECONDS = 20.0
_REPORT_EVERY_SECONDS = 5.0
_PORTS = (
    *("gapi_port", "pulse_port", "exchange_port", "flower_port"),
    *("gapi_metrics_port", "pulse_metrics_port", "slices_metrics_port", "control_metrics_port", "beat_metrics_port"),
)


@contextmanager
def stack_for_demo(settings: StackSettings) -> Iterator[RunningStack]:
    """A ready stack on this data folder. Raises StackError when there is none and none can be started."""
    if lock.is_held(settings.data_dir):
        yield _wait_for_others(settings)
        return
    make_data_dir(settings.data_dir)
    stack = Child(_program(settings), settings.data_dir / "logs" / "demo-stack.log")
    say("No stack is running: starting one for the demo, which takes up to half a minute the first time.")
    try:
        stack.start()
        if not wait_until_ready(stack, START_SECONDS, _Reporter()):
            raise StackError(_why_not_started(stack))
        yield running.find(settings.data_dir)
    finally:
        say("Stopping the demo's stack.")
        stack.stop(STOP_SECONDS)


def _program(settings: StackSettings) -> Program:
    command = [sys.executable, "-c", "from pulse_ops.cli import main; main()", "up", "--data-dir"]
    command.append(str(settings.data_dir.resolve()))
    # Nobody types the ports of this stack, so any will do where the usual ones are taken.
    chosen: set[int] = set()
    for name in _PORTS:
        host = settings.host_of(getattr(settings, name))
        port = free_port(host, preferred=getattr(settings, name))
        while port in chosen:
            port = free_port(host)
        chosen.add(port)
        command += [f"--{name.replace('_', '-')}", str(port)]
    return Program(
        "demo-stack", tuple(command), is_ready=lambda _pid: _is_ready(settings), environment=dict(os.environ)
    )


def _is_ready(settings: StackSettings) -> bool:
    try:
        return running.find(settings.data_dir).is_ready
    except NotRunning:
        return False


def _wait_for_others(settings: StackSettings) -> RunningStack:
    report = _Reporter()
    started = time.monotonic()
    while not _is_ready(settings):
        waited = time.monotonic() - started
        if waited > START_SECONDS or not lock.is_held(settings.data_dir):
            raise StackError(f"The stack on {settings.data_dir} did not become ready: see `pulse status`.")
        report(waited)
        time.sleep(0.1)
    return running.find(settings.data_dir)


class _Reporter:
    """Says now and then that it is still waiting."""

    def __init__(self) -> None:
        self._next_at = _REPORT_EVERY_SECONDS

    def __call__(self, waited: float) -> None:
        if waited >= self._next_at:
            say(f"Still starting after {waited:.0f} s.")
            self._next_at += _REPORT_EVERY_SECONDS


def _why_not_started(stack: Child) -> str:
    if stack.is_alive():
        return f"The stack was not ready after {START_SECONDS:.0f} s: see {stack.log_path}."
    lines = [line for line in stack.log_tail().splitlines() if line.startswith("pulse: ")]
    return lines[-1].removeprefix("pulse: ") if lines else f"The stack did not start: see {stack.log_path}."
