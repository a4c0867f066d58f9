"""Processes that a killed supervisor left behind."""

import signal
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = "PULSE_SUPERVISED_IN"
_PATIENCE_SECONDS = 10.0


def end_servers_in(folder: Path, program: str, stop_signal: signal.Signals) -> int:
    """End every `program` that has `folder` as its working directory; how many there were."""
    here = str(folder.resolve())
    return _end(lambda process: process.name() == program and process.cwd() == here, stop_signal)


def end_children_of(data_dir: Path) -> int:
    """End every process that a supervisor of this data folder had started; how many there were."""
    here = str(data_dir.resolve())
    return _end(lambda process: process.environ().get(MARK) == here, signal.SIGTERM)


def _end(is_meant: Callable[[psutil.Process], bool], stop_signal: signal.Signals) -> int:
    found = [process for process in psutil.process_iter() if _answer(is_meant, process)]
    for process in found:
        _send(process, stop_signal)
    _gone, alive = psutil.wait_procs(found, timeout=_PATIENCE_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=_PATIENCE_SECONDS)
    return len(found)


def _answer(question: Callable[[psutil.Process], bool], process: psutil.Process) -> bool:
    try:
        return process.pid != psutil.Process().pid and question(process)
    except (psutil.Error, OSError):
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
