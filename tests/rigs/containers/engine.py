"""A Docker engine that this machine need not have: a Debian in namespaces of its own, gone when it ends."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.bootstrap import CannotRun, bootstrapped, first_process

# The first release of Debian whose Compose knows what docker-compose.yml uses.
ENGINE_RELEASE, ENGINE_PACKAGES = "trixie", "docker.io,docker-cli,docker-compose,docker-buildx,iptables,ca-certificates"
# Of all its containers, in every hierarchy; no other engine has this one.
GROUP = "pulse-containers"
STARTS_SECONDS, ENDS_SECONDS = 60.0, 60.0

# Process 1 of its namespaces: what it starts ends with it, and its network is nobody else's.
_START = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /sys "$ROOT/sys"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/run"
mkdir -p "$ROOT/var/lib/docker" "$ROOT/src" "$ROOT/old"
mount --bind "$FOLDER/docker" "$ROOT/var/lib/docker"
mount --bind "$FOLDER/src" "$ROOT/src"
ip link set lo up
cd "$ROOT"
pivot_root . old
cd /
umount -l /old
exec dockerd --cgroup-parent=$GROUP --host unix:///run/docker.sock --exec-root /run/docker --pidfile /run/docker.pid
"""


class Engine:
    """A running engine; `/src` in it is the folder `src` of its own folder."""

    def __init__(self, pid: int, source: Path) -> None:
        self.pid = pid
        self.source = source

    def run(self, *command: str, stdin: int | None = None) -> str:
        """What the command prints there, run in /src. Raises CalledProcessError."""
        there = self.command("--all", "--wdns=/src", *command)
        done = subprocess.run(there, stdin=stdin, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
            done.check_returncode()
        return done.stdout

    def command(self, *options: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.pid}", *options)


@contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """An engine whose images and volumes are below `folder`. Raises CannotRun."""
    root = bootstrapped(f"debian-{ENGINE_RELEASE}", ENGINE_RELEASE, ENGINE_PACKAGES)
    for name in ("docker", "src"):
        (folder / name).mkdir()
    names = {"ROOT": str(root), "FOLDER": str(folder), "GROUP": GROUP}
    start = ("unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "bash", "-c", _START)
    with (
        (folder / "dockerd.log").open("wb") as log,
        subprocess.Popen(start, env=os.environ | names, stderr=log) as outer,
    ):
        try:
            engine = Engine(first_process(outer), folder / "src")
            _wait_until_it_answers(engine, outer, folder / "dockerd.log")
            yield engine
        finally:
            _end(outer)
            _remove_groups()


def _wait_until_it_answers(engine: Engine, outer: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < deadline and outer.poll() is None:
        asked = engine.command("--all", "docker", "version")
        if subprocess.run(asked, capture_output=True).returncode == 0:
            return
        time.sleep(0.2)
    raise CannotRun(f"The engine does not start: {log.read_text()[-2000:]}")


def _end(outer: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, CannotRun):
        os.kill(first_process(outer), 15)
    try:
        outer.wait(ENDS_SECONDS)
    except subprocess.TimeoutExpired:
        # What it has started goes with it.
        outer.kill()


def _remove_groups() -> None:
    groups = [Path(path) for top in Path("/sys/fs/cgroup").glob(f"**/{GROUP}") for path, *_ in os.walk(top)]
    for group in sorted(groups, reverse=True):
        with suppress(OSError):
            group.rmdir()
