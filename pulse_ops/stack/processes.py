"""The command line of every process of Pulse: one table, for the stack, the tests and docker-compose.yml."""

import sys
from dataclasses import dataclass
from pathlib import Path

GAPI = "gapi"
PULSE = "pulse"
EXCHANGE = "exchange"
WORKER_SLICES = "worker-slices"
WORKER_CONTROL = "worker-control"
BEAT = "beat"
FLOWER = "flower"

QUEUES = ("slices", "control")
# One for each place of a request, worked or waiting (gapi's guard/concurrency.py, pulse's places.py), and some for what
# needs no place or is turned away.
GAPI_THREADS = 192 + 16
PULSE_THREADS = 192 + 16
# One for each open event stream (gapi's PULSE_STREAMS), beside those for requests.
STREAM_THREADS = 200
# One for each request whose body has not arrived.
WAITING_THREADS = 96
# Clients of the gateway may be anybody: many connections may be open, and none for long without a request.
_OF_ANYBODY = ("--http1-header-read-timeout=10000", "--backpressure=4096")
# Those of pulse are kept by the gateway: none should be closed at the moment when it is used again.
_OF_GAPI = ("--http1-header-read-timeout=60000",)

_CELERY = ("python", "-m", "pulse_tasks")
# Of Flower's page of tasks: what it is and how it ended first.
_COLUMNS = "args,state,result,exception,received,kwargs,name,uuid"


@dataclass(frozen=True)
class Listen:
    """Where a server process listens."""

    host: str
    port: int


def gapi(listen: Listen) -> tuple[str, ...]:
    return _granian("gapi_app:create_app", listen, GAPI_THREADS + STREAM_THREADS + WAITING_THREADS, _OF_ANYBODY)


def pulse(listen: Listen) -> tuple[str, ...]:
    return _granian("pulse_app:create_app", listen, PULSE_THREADS, _OF_GAPI)


def exchange(listen: Listen, ledger: str) -> tuple[str, ...]:
    options = ("--host", listen.host, "--port", str(listen.port), "--ledger", ledger)
    return ("python", "-m", "pulse_ops.paper_exchange", *options)


def worker_slices() -> tuple[str, ...]:
    """The worker that places slices: many waits on the broker, little CPU."""
    return _worker("slices", threads=32)


def worker_control() -> tuple[str, ...]:
    """The worker that splits, tracks and sweeps, so that none of it holds up a placement."""
    return _worker("control", threads=8)


def beat() -> tuple[str, ...]:
    return (*_CELERY, "beat")


def flower(listen: Listen) -> tuple[str, ...]:
    return (*_CELERY, "flower", f"--address={listen.host}", f"--port={listen.port}", f"--tasks_columns={_COLUMNS}")


def executable(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same command with the program of this virtual environment, whatever PATH says."""
    program, *arguments = command
    if program == "python":
        return (sys.executable, *arguments)
    return (str(Path(sys.executable).with_name(program)), *arguments)


def _granian(application: str, listen: Listen, threads: int, connections: tuple[str, ...]) -> tuple[str, ...]:
    return (
        "granian",
        "--interface=wsgi",
        "--factory",
        "--workers=1",
        f"--blocking-threads={threads}",
        "--no-ws",
        "--http=1",
        "--http1-buffer-size=16384",
        *connections,
        "--workers-kill-timeout=5",
        f"--host={listen.host}",
        f"--port={listen.port}",
        application,
    )


def _worker(queue: str, threads: int) -> tuple[str, ...]:
    options = ("-n", f"{queue}@%h", "-Q", queue, "--pool=threads", "-c", str(threads))
    return (*_CELERY, "worker", *options, "--without-gossip", "--without-mingle", "-E")
