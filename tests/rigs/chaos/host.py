"""The second host as the rig handles it: how it is made, how to run something on it, and which weather it has."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from tests.rigs.chaos.cable import READY, Weather

PROGRAMS = ("ip", "nsenter")
# Of the range kept for measuring networks (RFC 2544); four addresses for each cable.
_RANGE, _CABLES = 198 << 24 | 18 << 16, 1 << 15


@dataclass
class Host:
    """`near` is this machine's address on the cable, `far` the host's."""

    near: str
    far: str
    process: subprocess.Popen[str]
    _weather: list[Weather] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command that shall run on the host."""
        return ("nsenter", f"--net=/proc/{self.process.pid}/ns/net")

    @contextmanager
    def suffering(self, weather: Weather) -> Iterator[None]:
        """The weather beside any other while the block lasts."""
        self._tell(self._weather.append, weather)
        try:
            yield
        finally:
            self._tell(self._weather.remove, weather)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def _tell(self, change: Callable[[Weather], None], weather: Weather) -> None:
        with self._lock:
            change(weather)
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps([asdict(one) for one in self._weather]) + "\n")
            self.process.stdin.flush()


def why_none() -> str | None:
    """Why this machine can have no second host, or None."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"{missing[0]} is not installed"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    return None


def may_have_one() -> bool:
    """Whether nothing but a program is missing, which Debian has."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists()


def make_host() -> Host:
    """A host at the end of a new cable. Raises OSError where the machine makes none."""
    near, far = _addresses(os.getpid())
    command = [sys.executable, "-m", "tests.rigs.chaos.cable", f"pulse{os.getpid()}", near, far]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != READY:
        process.wait(10)
        raise OSError("this machine makes no network namespace with an Ethernet device")
    return Host(near, far, process)


def _addresses(number: int) -> tuple[str, str]:
    first = _RANGE + number % _CABLES * 4
    return str(IPv4Address(first + 1)), str(IPv4Address(first + 2))
