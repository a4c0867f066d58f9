"""One child process: started so that it ends with us, watched, and ended together with its own children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pulse_ops.stack import launch

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class OsUser:
    uid: int = -1
    gid: int = -1


@dataclass(frozen=True)
class Program:
    """How one process is started, when it is ready, and which signal asks it to end.

    `is_ready` is called with the process id. `prepare` runs before every start. Descriptors in `keep_open`
    stay open in the child.
    """

    name: str
    command: tuple[str, ...]
    is_ready: Callable[[int], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    user: OsUser = OsUser()
    folder: Path | None = None
    keep_open: tuple[int, ...] = ()
    prepare: Callable[[], None] = lambda: None


class Child:
    """A running Program. Start it from a thread that lives as long as it: Linux ends it with that thread."""

    def __init__(self, program: Program, log_path: Path) -> None:
        self.program = program
        self.log_path = log_path
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0  # seconds since the epoch

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def pid_if_alive(self) -> int | None:
        return self.pid if self.is_alive() else None

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before its first start."""
        return self.process.poll() if self.process else None

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        return self.process is not None and self.is_alive() and self.program.is_ready(self.process.pid)

    def start(self) -> None:
        self.program.prepare()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._launch_command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.program.environment),
                cwd=self.program.folder,
                pass_fds=self.program.keep_open,
                process_group=0,  # Ctrl-C in the terminal reaches the supervisor alone
            )
        self.started_at = time.time()

    def ask_to_stop(self) -> None:
        """Send the stop signal, if it runs."""
        if self.process and self.is_alive():
            self.process.send_signal(self.program.stop_signal)

    def wait(self, seconds: float) -> bool:
        """True when it has ended within `seconds`."""
        if self.process is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(seconds, 0))
        return not self.is_alive()

    def kill(self) -> None:
        """End it and whatever it has started, now."""
        if self.process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds: float) -> None:
        """Ask it to end, and kill what is left after `seconds`."""
        self.ask_to_stop()
        self.wait(seconds)
        self.kill()

    def log_tail(self, lines: int = 12) -> str:
        """The last lines it wrote."""
        with suppress(OSError):
            with self.log_path.open("rb") as log:
                log.seek(max(0, self.log_path.stat().st_size - 8192))
                text = log.read().decode(errors="replace")
            return "\n".join(text.splitlines()[-lines:])
        return ""

    def _launch_command(self) -> list[str]:
        program = self.program
        die_with_parent = (os.getpid(), int(program.stop_signal), program.user.uid, program.user.gid)
        return [sys.executable, "-I", "-S", launch.__file__, *map(str, die_with_parent), *program.command]


def wait_until_ready(child: Child, seconds: float, report: Callable[[float], None] = lambda _waited: None) -> bool:
    """True once it is ready, False when it ended first or `seconds` have passed; `report` gets the time waited."""
    started = time.monotonic()
    while child.is_alive():
        if child.is_ready():
            return True
        waited = time.monotonic() - started
        if waited > seconds:
            return False
        report(waited)
        time.sleep(_POLL_SECONDS)
    return False
