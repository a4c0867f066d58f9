"""A Docker engine that this machine need not have: a Debian in namespaces of its own, gone when it ends."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.debian import CACHE

MIRROR = "http://deb.debian.org/debian"
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


class CannotRun(Exception):
    """Why there can be no engine here, in a sentence."""


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
    root = bootstrapped(ENGINE_RELEASE, ENGINE_PACKAGES)
    for name in ("docker", "src"):
        (folder / name).mkdir()
    names = {"ROOT": str(root), "FOLDER": str(folder), "GROUP": GROUP}
    start = ("unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "bash", "-c", _START)
    with (
        (folder / "dockerd.log").open("wb") as log,
        subprocess.Popen(start, env=os.environ | names, stderr=log) as outer,
    ):
        try:
            engine = Engine(_first_process(outer), folder / "src")
            _wait_until_it_answers(engine, outer, folder / "dockerd.log")
            yield engine
        finally:
            _end(outer)
            _remove_groups()


def bootstrapped(release: str, packages: str) -> Path:
    """A minimal Debian with these packages in a folder, kept for the next time. Raises CannotRun."""
    if os.geteuid() != 0 or sys.platform != "linux":
        raise CannotRun("Only root on Linux can start a Docker engine that is not installed.")
    root = CACHE / f"debian-{release}"
    if root.exists():
        return root
    if not shutil.which("debootstrap"):
        _get("apt-get", "update", "-qq")
        _get("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap")
    unfinished = CACHE / f"debian-{release}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    _get("debootstrap", "--variant=minbase", f"--include={packages}", release, str(unfinished), MIRROR)
    for leftover in (unfinished / "var/cache/apt/archives").glob("*.deb"):
        leftover.unlink()
    return unfinished.rename(root)


def _get(*command: str) -> None:
    try:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRun(f"Debian's packages cannot be had here: {' '.join(command[:2])} failed.") from error


def _first_process(outer: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    deadline = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < deadline and outer.poll() is None:
        if pids := children.read_text().split():
            return int(pids[0])
        time.sleep(0.05)
    raise CannotRun("The namespaces of the engine could not be made.")


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
        os.kill(_first_process(outer), 15)
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
