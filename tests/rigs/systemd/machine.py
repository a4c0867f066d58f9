"""A machine whose process 1 is systemd: a Debian in namespaces of its own, with its files in memory.

Its network is that of whoever starts it, who has one that nobody else is in.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.bootstrap import CannotRun, first_process

RELEASE = "bookworm"
PACKAGES = "systemd,dbus,python3-minimal,python3-venv,ca-certificates,curl"
STARTS_SECONDS, ENDS_SECONDS = 120.0, 120.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Its control groups are below one that is made for it: to it they are all there are.
_ENTER = """
set -e
mkdir -p "$GROUP"
echo 0 > "$GROUP/cgroup.procs"
exec unshare --cgroup bash -c "$START"
"""
_START = """
set -e
cd "$ROOT"
mount --bind . .
cd "$ROOT"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
  touch "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
echo pulse-host > etc/hostname
mkdir -p old
pivot_root . old
cd /
umount -l /old
# As systemd does it itself where it is in no container: credentials are mounted in a namespace, and come back from it.
mount --make-rshared /
exec env -i container=pulse PATH="$PATH" /lib/systemd/systemd --log-target=console
"""


class Failed(Exception):
    """What did not happen as it should."""


class Machine:
    """`root` is its file system, seen from outside; what is written there outlasts a boot."""

    def __init__(self, root: Path, group: Path, log: Path) -> None:
        self.root = root
        self._group = group
        self._log = log
        self._outer: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def boot(self) -> None:
        """Start systemd, and wait until all that is enabled has been. Raises CannotRun, Failed if a unit failed."""
        names = {"ROOT": str(self.root), "GROUP": str(self._group), "START": _START, "PATH": _PATH}
        start = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "bash", "-c", _ENTER)
        with self._log.open("ab") as log:
            self._outer = subprocess.Popen(start, env=names, stdout=log, stderr=log)
        self._pid = first_process(self._outer)
        state = self._state(self._outer)
        if state != "running":
            raise Failed(f"systemd is {state}: {self.run('systemctl', '--failed', '--no-legend')}")

    def power_off(self) -> None:
        """As an operator does it. Raises Failed if it does not end."""
        assert self._outer is not None
        # Its answer may be lost, as the bus ends too.
        self.ask("systemctl", "poweroff")
        try:
            self._outer.wait(ENDS_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"systemd has not ended after {ENDS_SECONDS:g} s") from None

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> str:
        """What the command prints there. Raises Failed."""
        done = self.ask(*command, env=env)
        if done.returncode:
            sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
            raise Failed(f"{' '.join(command)[:200]} ended with {done.returncode}")
        return done.stdout

    def ask(self, *command: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """A command that may fail, run in /src/pulse."""
        there = ("nsenter", f"--target={self._pid}", "--mount", "--pid", "--uts", "--ipc", "--cgroup")
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", **(env or {})}
        return subprocess.run((*there, "--wdns=/src/pulse", *command), env=environment, capture_output=True, text=True)

    def _state(self, outer: "subprocess.Popen[bytes]") -> str:
        deadline = time.monotonic() + STARTS_SECONDS
        state = ""
        while time.monotonic() < deadline and outer.poll() is None:
            state = self.ask("systemctl", "is-system-running").stdout.strip()
            if state in ("running", "degraded"):
                return state
            time.sleep(0.2)
        if not state or outer.poll() is not None:
            raise CannotRun(f"systemd does not start here: {self._log.read_text()[-2000:]}")
        return state


def own_group() -> Path:
    """Where a group of control groups can be made for this run alone. Raises CannotRun."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, options, *_ = line.split()
        if kind == "cgroup2" and os.access(folder, os.W_OK) and "ro" not in options.split(","):
            return Path(folder) / f"pulse-systemd-{os.getpid()}"
    raise CannotRun("There are no control groups of version 2 here that may be changed.")


def remove_group(group: Path) -> None:
    """Remove what `own_group` named, with all below it, once the last process there has ended."""
    deadline = time.monotonic() + ENDS_SECONDS
    while group.exists() and time.monotonic() < deadline:
        for folder in sorted((Path(path) for path, *_ in os.walk(group)), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        time.sleep(0.05)
