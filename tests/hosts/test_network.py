"""The network that tests of partitions stand on does what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import hosts
from tests.support.hosts import Host
from tests.support.processes import wait_until


@pytest.fixture
def pair() -> Iterator[tuple[Host, ...]]:
    with hosts.network("left", "right") as made:
        yield made


def test_hosts_reach_one_another_and_nothing_else(pair: tuple[Host, ...]) -> None:
    left, right = pair
    assert answered(left, right) == 1
    assert (
        left.run("ip", "route").split() == f"10.77.0.0/16 dev eth0 proto kernel scope link src {left.address}".split()
    )


def test_a_pulled_cable_is_seen_by_its_own_host_only(pair: tuple[Host, ...]) -> None:
    left, right = pair
    left.unplug()
    wait_until(lambda: "NO-CARRIER" in left.run("ip", "link", "show", "eth0"), 5, "the loss of the carrier")
    assert "NO-CARRIER" not in right.run("ip", "link", "show", "eth0")
    assert answered(left, right) == 0
    left.plug()
    wait_until(lambda: answered(left, right) == 1, 5, "the link")


def test_a_silent_host_sees_nothing(pair: tuple[Host, ...]) -> None:
    left, right = pair
    left.fall_silent()
    assert answered(right, left) == 0
    assert "NO-CARRIER" not in left.run("ip", "link", "show", "eth0")
    left.recover()
    assert answered(right, left) == 1


def test_loss_has_a_share_and_a_direction(pair: tuple[Host, ...]) -> None:
    left, right = pair
    # Who has never met loses the question for the other's address too.
    assert answered(left, right) == 1
    left.lose(sent=0.5)
    assert 10 < sent_and_arrived(left, right, 100) < 90
    assert sent_and_arrived(right, left, 100) == 100


def test_a_test_that_was_killed_leaves_nothing_behind_for_long() -> None:
    hosts.require()
    program = "from tests.support.hosts import network\nwith network('lost') as (host,): host.run('sleep', '60')"
    killed = subprocess.Popen([sys.executable, "-c", program])
    left_over = re.compile(rf"^pulse-{killed.pid}-\d+-lost", re.MULTILINE)

    def is_there() -> bool:
        return bool(left_over.search(subprocess.check_output(["ip", "netns", "list"], text=True)))

    wait_until(is_there, 20, "the network")
    killed.kill()
    killed.wait()
    with hosts.network("next"):
        assert not is_there()


def test_where_it_cannot_be_made_one_sentence_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    hosts.why_not.cache_clear()
    monkeypatch.setenv("PULSE_CI_RUN", "1")
    with pytest.raises(pytest.skip.Exception, match="only root may make network namespaces"):
        hosts.require()
    hosts.why_not.cache_clear()


def test_where_everything_is_tested_and_could_be_it_fails_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts.require()
    monkeypatch.setattr(hosts, "why_not", lambda: "a tool is missing")
    monkeypatch.setenv("PULSE_CI_RUN", "1")
    monkeypatch.delenv("PULSE_NO_PACKAGES", raising=False)
    with pytest.raises(pytest.fail.Exception, match="a tool is missing"):
        hosts.require()
    monkeypatch.setenv("PULSE_NO_PACKAGES", "Debian's packages cannot be reached from here")
    with pytest.raises(pytest.skip.Exception, match="a tool is missing"):
        hosts.require()


def answered(asker: Host, asked: Host) -> int:
    """How many answers one question gets: a closed port says that nobody listens there."""
    return int(
        asker.run(
            *(sys.executable, "-c"),
            f"""
import socket
question = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
question.connect(("{asked.address}", 9))
question.settimeout(1)
try:
    question.send(b"?")
    question.recv(1)
except ConnectionRefusedError:
    print(1)
except OSError:
    print(0)
""",
        )
    )


def sent_and_arrived(sender: Host, receiver: Host, count: int) -> int:
    """How many of `count` datagrams arrive."""
    listen = f"""
import socket
inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind(("{receiver.address}", 9999))
print("ready", flush=True)
inbox.settimeout(2)
arrived = 0
try:
    while inbox.recv(1):
        arrived += 1
except TimeoutError:
    print(arrived)
"""
    send = f"""
import socket, time
outbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range({count}):
    outbox.sendto(b"x", ("{receiver.address}", 9999))
    time.sleep(0.002)
"""
    listener = receiver.popen(sys.executable, "-c", listen, stdout=subprocess.PIPE)
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    sender.run(sys.executable, "-c", send)
    return int(listener.communicate(timeout=20)[0])
