"""A port that was named stays free for whoever asked until it listens there."""

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from pulse_ops.stack.ports import free_port, is_free

# Connections of this machine get theirs from here on, whatever the system: 32768 on Linux, 49152 elsewhere.
GIVEN_TO_CONNECTIONS = 32768
ASKS = "from pulse_ops.stack.ports import free_port; print(*(free_port() for _ in range(150)), flush=True); input()"


def test_no_port_is_one_that_a_connection_may_get() -> None:
    given = {free_port() for _ in range(250)}
    assert len(given) == 250
    assert all(1024 <= port < GIVEN_TO_CONNECTIONS for port in given)


def test_processes_that_ask_at_the_same_time_get_ports_of_their_own() -> None:
    asking = [subprocess.Popen([sys.executable, "-c", ASKS], stdin=-1, stdout=-1, text=True) for _ in range(3)]
    try:
        given = [port for one in asking if one.stdout for port in one.stdout.readline().split()]
        assert len(given) == 3 * 150
        assert len(set(given)) == len(given)
    finally:
        for one in asking:
            one.communicate("\n", timeout=20)


def test_threads_that_ask_at_the_same_time_get_ports_of_their_own() -> None:
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: free_port(), range(200)))
    assert len(set(given)) == 200


def test_a_port_that_is_taken_is_passed_over_and_a_free_one_preferred() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not is_free("127.0.0.1", taken)
        assert free_port(preferred=taken) != taken
    free = free_port()
    assert free_port(preferred=free) == free
