"""A request that was given up while the broker could not be reached does not arrive when it can be reached again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import hosts
from tests.support.certificates import self_signed
from tests.support.hosts import Host
from tests.support.processes import wait_until
from tests.support.senders import KINDS

# The kernel sends again 3.0 and 6.2 s after the first time (0.2 s, doubled each time). The requests leave within
# SPREAD and are given up after TIMEOUT; when the link is back, their ages are spread between these two instants. The
# last one was given up 3 s before: for that long a packet may wait for the hardware address of the next host.
COUNT, SPREAD, TIMEOUT, DOWN = 25, 2.0, 1.0, 6.1
FEW = 3

Cut = Callable[[Host, list[Host]], None]


@dataclass
class Senders:
    """The program `tests.support.senders` on a host; `endings` tells by request how its call ended."""

    host: Host
    url: str
    count: int = FEW
    spread: float = 0
    timeout: float = TIMEOUT
    endings: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        options = {"name": self.host.name, "url": self.url, "count": self.count}
        options |= {"spread": self.spread, "timeout": self.timeout}
        command = (
            sys.executable,
            "-m",
            "tests.support.senders",
            *(f"--{key}={value}" for key, value in options.items()),
        )
        self.process = self.host.popen(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def wait_until(self, said: str) -> None:
        assert self._line() == said

    def go(self) -> None:
        """Send the heads of half requests the first time, and everything else the second time."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_until_all_have_left(self) -> None:
        expected = self.count * len(KINDS)
        wait_until(lambda: self._unacknowledged() == expected, 5, f"{expected} requests on the wire")

    def wait_until_all_were_given_up(self) -> None:
        for _ in range(self.count * len(KINDS)):
            ending = json.loads(self._line())
            self.endings[ending["name"]] = ending["ending"]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def _unacknowledged(self) -> int:
        rows = self.host.run("cat", "/proc/net/tcp").splitlines()[1:]
        return sum(not row.split()[4].startswith("00000000:") for row in rows)


def silence(broker: Host, _: list[Host]) -> None:
    broker.fall_silent()


def pull_the_brokers_cable(broker: Host, _: list[Host]) -> None:
    broker.unplug()


def pull_our_cables(_: Host, ours: list[Host]) -> None:
    for host in ours:
        host.unplug()


@pytest.mark.parametrize("cut", [silence, pull_the_brokers_cable, pull_our_cables])
def test_what_was_given_up_never_arrives_but_on_sockets_that_close_as_usual_it_does(cut: Cut, tmp_path: Path) -> None:
    with hosts.network("broker", "waiting", "encrypting", "killed", "stopped") as (broker, *ours):
        arrivals = start_broker(broker, tmp_path)
        http, https = f"http://{broker.address}", f"https://{broker.address}"
        waiting, encrypting = Senders(ours[0], http, COUNT, SPREAD), Senders(ours[1], https)
        # One is killed in mid-call; the kernel ends the calls of the other before DOWN is over.
        killed, stopped = Senders(ours[2], http, timeout=60), Senders(ours[3], http, timeout=4)
        everyone = [waiting, encrypting, killed, stopped]
        start(everyone)

        cut(broker, ours)
        for senders, number in ((stopped, signal.SIGSTOP), (killed, signal.SIGKILL)):
            senders.go()
            senders.wait_until_all_have_left()
            senders.process.send_signal(number)
        began = time.monotonic()
        waiting.go()
        encrypting.go()
        waiting.wait_until_all_were_given_up()
        encrypting.wait_until_all_were_given_up()
        time.sleep(max(0, began + DOWN - time.monotonic()))
        for host in (broker, *ours):
            host.recover()

        twins = {f"TWIN{number}{senders.host.name}" for senders in everyone for number in range(senders.count)}
        wait_until(lambda: twins <= set(names(arrivals)), 30, "the arrival of every request on a plain socket")
        assert sorted(set(names(arrivals)) - twins) == []
        ours_ended = {**waiting.endings, **encrypting.endings}
        assert {ending for name, ending in ours_ended.items() if name not in twins} == {"OutcomeUnknown"}


def start(everyone: list[Senders]) -> None:
    for senders in everyone:
        senders.start()
    for senders in everyone:
        senders.wait_until("connected")
    for senders in everyone:
        senders.go()
        senders.wait_until("heads left")


def start_broker(host: Host, folder: Path) -> Path:
    """Start `tests.support.arrivals`, and return the file it writes."""
    file = folder / "arrivals"
    command = (sys.executable, "-m", "tests.support.arrivals", host.address, str(file), str(self_signed(folder)))
    process = host.popen(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return file


def names(arrivals: Path) -> list[str]:
    return [json.loads(line)["name"] for line in arrivals.read_text().splitlines()]
