"""Hosts of one machine: network namespaces joined by a switch, whose cables can be pulled and can lose packets.

Every address exists inside these namespaces only. Every fault is one of the switch, so that, but for a pulled cable,
no host is told: what it sends leaves, and does not arrive.
"""

import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support import debian, lacking

TOOLS = {"ip": "iproute2", "nft": "nftables"}
# Bits of CapEff in /proc/self/status.
NET_ADMIN, SYS_ADMIN = 12, 21

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Host:
    """One namespace with one address; `name` is also the switch's port, so it has 15 characters at most."""

    name: str
    namespace: str
    address: str
    switch: str

    def command(self, *command: str) -> tuple[str, ...]:
        """The command that runs `command` on this host, in the same process: a signal to it reaches `command`."""
        return ("ip", "netns", "exec", self.namespace, *command)

    def run(self, *command: str) -> str:
        """Run to the end on this host, and return what was printed."""
        return _run(*self.command(*command))

    def popen(self, *command: str, **options: Any) -> "subprocess.Popen[str]":
        """Start on this host. What still runs when the network ends is killed."""
        return subprocess.Popen(self.command(*command), text=True, **options)

    def unplug(self) -> None:
        """Pull the cable: this host sees that its link is down, the others see nothing."""
        _run("ip", "-n", self.switch, "link", "set", self.name, "down")

    def plug(self) -> None:
        _run("ip", "-n", self.switch, "link", "set", self.name, "up")

    def lose(self, *, sent: float = 0, received: float = 0) -> None:
        """From now on lose these shares (0 to 1) of the packets that this host sends, and of those sent to it."""
        table = f"table bridge loss-{self.name}"
        rules = f'iifname "{self.name}" {_drop(sent)}\n oifname "{self.name}" {_drop(received)}\n'
        chain = f"chain between {{ type filter hook forward priority 0;\n {rules} }}\n"
        # One transaction: no packet meets the switch without a rule.
        text = f"{table}\n delete {table}\n {table} {{ {chain} }}\n"
        _run("ip", "netns", "exec", self.switch, "nft", "-f", "-", text=text)

    def fall_silent(self) -> None:
        """Lose everything in both directions: a partition that no host is told of."""
        self.lose(sent=1, received=1)

    def recover(self) -> None:
        """Lose nothing any more, with the cable plugged in."""
        self.lose()
        self.plug()


@contextmanager
def network(*names: str) -> Iterator[tuple[Host, ...]]:
    """Hosts of these names that reach one another and nothing else. Skips the test where none can be made."""
    require()
    with _network(*names) as hosts:
        yield hosts


def require() -> None:
    """Skip the test where no network can be made."""
    if reason := why_not():
        lacking.skip(reason, could_run=not _missing_rights())


@cache
def why_not() -> str | None:
    """Why no network can be made here, in one sentence, or None. Installs what is missing."""
    if reason := _missing_rights():
        return reason
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing and (reason := debian.why_not_installed(*missing)):
        return reason
    try:
        with _network("first", "second") as (first, _):
            first.lose(sent=0.5)
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"network namespaces cannot be made here: {said.splitlines()[0]}"
    return None


def _missing_rights() -> str | None:
    if sys.platform != "linux":
        return "network namespaces exist on Linux only"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    effective = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    capabilities = int(effective[1], 16) if effective else 0
    if not (capabilities >> NET_ADMIN & 1 and capabilities >> SYS_ADMIN & 1):
        return "this root has no CAP_NET_ADMIN and CAP_SYS_ADMIN, which network namespaces need"
    return None


@contextmanager
def _network(*names: str) -> Iterator[tuple[Host, ...]]:
    _remove_leftovers()
    prefix = f"pulse-{os.getpid()}-{next(_numbers)}-"
    try:
        yield _build(prefix, names)
    finally:
        _remove(prefix)


def _build(prefix: str, names: tuple[str, ...]) -> tuple[Host, ...]:
    switch = f"{prefix}switch"
    _run("ip", "netns", "add", switch)
    _run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge")
    _run("ip", "-n", switch, "link", "set", "bridge", "up")
    hosts = tuple(
        Host(name, f"{prefix}{name}", f"10.77.{number // 250}.{number % 250 + 1}", switch)
        for number, name in enumerate(names)
    )
    for host in hosts:
        _connect(host)
    return hosts


def _connect(host: Host) -> None:
    _run("ip", "netns", "add", host.namespace)
    cable = ("type", "veth", "peer", "name", "eth0", "netns", host.namespace)
    _run("ip", "-n", host.switch, "link", "add", host.name, *cable)
    _run("ip", "-n", host.switch, "link", "set", host.name, "master", "bridge", "up")
    _run("ip", "-n", host.namespace, "address", "add", f"{host.address}/16", "dev", "eth0")
    for device in ("lo", "eth0"):
        _run("ip", "-n", host.namespace, "link", "set", device, "up")


def _remove_leftovers() -> None:
    for namespace in _namespaces():
        owner = re.match(r"pulse-(\d+)-\d+-", namespace)
        if owner and not Path("/proc", owner[1]).exists():
            _remove(owner[0])


def _remove(prefix: str) -> None:
    for namespace in _namespaces():
        if not namespace.startswith(prefix):
            continue
        # Another test process may be removing the same left-overs.
        with suppress(subprocess.CalledProcessError, ProcessLookupError):
            for pid in _run("ip", "netns", "pids", namespace).split():
                os.kill(int(pid), signal.SIGKILL)
            _run("ip", "netns", "delete", namespace)


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _run("ip", "netns", "list").splitlines()]


def _drop(share: float) -> str:
    if share >= 1:
        return "drop"
    return f"numgen random mod 1000 < {round(share * 1000)} drop" if share > 0 else "accept"


def _run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=180).stdout
