"""Processes that a killed supervisor left behind, found by the folder they work in."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

_PATIENCE_SECONDS = 10.0


def end_processes_in(folder: Path, stop_signal: signal.Signals) -> int:
    """End every process that has `folder` as its working directory; how many there were."""
    found = list(_processes_in(folder.resolve()))
    for process in found:
        _send(process, stop_signal)
    _gone, alive = psutil.wait_procs(found, timeout=_PATIENCE_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_PATIENCE_SECONDS)
    return len(found)


def _processes_in(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                yield process
        except psutil.Error:
            continue


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
