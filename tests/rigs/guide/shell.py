"""One shell session in which the commands of a page run one after the other, as a person would type them."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.guide import curl
from tests.support.processes import wait_until
from tests.support.stacks import outer_environment


@dataclass(frozen=True)
class Outcome:
    """`statuses` are those of the HTTP answers, in their order."""

    exit_code: int
    stdout: str
    stderr: str
    statuses: list[int]


class Shell:
    """`folder` is where the person stands: files are saved there, and `.venv` is there."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self._statuses = folder / ".statuses"
        (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
        environment = {**outer_environment(), **variables, "PATH": self._path(), "GUIDE_STATUSES": str(self._statuses)}
        self._process = subprocess.Popen(
            ["sh", "-u"], cwd=folder, env=environment, stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, commands: str, seconds: float = 60) -> Outcome:
        """Run commands in this session; their variables stay."""
        exit_code = self.folder / ".exit"
        exit_code.unlink(missing_ok=True)
        self._statuses.write_text("")
        (self.folder / ".commands").write_text(commands)
        assert self._process.stdin is not None
        self._process.stdin.write("{ . ./.commands; } >.out 2>.err </dev/null; echo $? >.code; mv .code .exit\n")
        self._process.stdin.flush()
        wait_until(lambda: exit_code.exists() or self._process.poll() is not None, seconds, commands)
        assert self._process.poll() is None, f"the shell has ended: {(self.folder / '.err').read_text()}"
        stdout, stderr = ((self.folder / name).read_text() for name in (".out", ".err"))
        return Outcome(int(exit_code.read_text()), stdout, stderr, list(map(int, self._statuses.read_text().split())))

    def close(self) -> None:
        """End the session with whatever it left in the background."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate(timeout=10)

    def _path(self) -> str:
        programs = self.folder / ".programs"
        programs.mkdir()
        stand_in = programs / "curl"
        stand_in.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -IS {shlex.quote(curl.__file__)} "$@"\n')
        stand_in.chmod(0o755)
        return os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])


@contextmanager
def shell(folder: Path, variables: Mapping[str, str]) -> Iterator[Shell]:
    """A session that is ended with the block."""
    opened = Shell(folder, variables)
    try:
        yield opened
    finally:
        opened.close()
