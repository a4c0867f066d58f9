"""The second host's cable does to packets what it is told, and leaves nothing behind."""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.rigs.chaos.cable import Weather, ports_of
from tests.rigs.chaos.host import Host, make_host, may_have_one, why_none
from tests.support import lacking
from tests.support.processes import wait_until

ASK = """import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3])) as connection:
    sys.stdout.write(connection.recv(5).decode())"""


@pytest.fixture
def host() -> Iterator[Host]:
    if reason := why_none():
        lacking.skip(f"no second host: {reason}", could_run=may_have_one())
    try:
        made = make_host()
    except OSError as error:
        lacking.skip(f"no second host: {error}", could_run=False)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def server(host: Host) -> Iterator[socket.socket]:
    with closing(socket.create_server((host.near, 0))) as listening:
        yield listening


def answer_to(host: Host, server: socket.socket, seconds: float) -> str:
    """What the host hears from a server that says `hello`, when it waits that long."""
    port = str(server.getsockname()[1])
    asking = subprocess.Popen(
        [*host.prefix, sys.executable, "-c", ASK, host.near, port, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    server.settimeout(seconds + 5)
    try:
        with server.accept()[0] as connection:
            connection.sendall(b"hello")
    except TimeoutError:
        pass
    return asking.communicate(timeout=30)[0]


def test_packets_take_as_long_as_the_weather_says(host: Host, server: socket.socket) -> None:
    with host.suffering(Weather(delay=0.5)):
        began = time.monotonic()
        assert answer_to(host, server, 20) == "hello"
    # The request for the address, its answer, and the three packets of a connection.
    assert time.monotonic() - began > 1.5


def test_a_cut_link_lets_nothing_through_until_it_is_mended(host: Host, server: socket.socket) -> None:
    with host.suffering(Weather(loss_to=1, loss_from=1)):
        assert answer_to(host, server, 2) == ""
    assert answer_to(host, server, 20) == "hello"


def test_weather_of_another_server_harms_nobody(host: Host, server: socket.socket) -> None:
    with host.suffering(Weather(loss_to=1, port=server.getsockname()[1] - 1)):
        assert answer_to(host, server, 20) == "hello"


def test_nothing_is_left_of_a_host_whose_rig_is_gone(host: Host) -> None:
    assert host.process.stdin is not None
    host.process.stdin.close()
    assert host.process.wait(10) == 0
    wait_until(lambda: f"pulse{host.process.pid}" not in [name for _, name in socket.if_nameindex()], 10, "no device")


def test_ports_are_read_behind_options_of_the_address_header_too() -> None:
    ports = struct.pack("!HH", 40_000, 5432)
    for words in (5, 7):
        header = bytes([0x40 | words]) + bytes(8) + bytes([6]) + bytes(words * 4 - 10)
        assert ports_of(bytes(12) + b"\x08\x00" + header + ports) == (40_000, 5432)
    assert ports_of(bytes(12) + b"\x08\x06" + bytes(28)) == ()
