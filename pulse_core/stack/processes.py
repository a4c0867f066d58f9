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
HTTP_THREADS = 16
# One for each open event stream (gapi's PULSE_STREAMS), beside those for requests.
STREAM_THREADS = 200
# One for each request whose body has not arrived.
WAITING_THREADS = 96
# Clients of the gateway may be anybody: each connection that only waits is held for this long.
GAPI_HEAD_MS = 10_000
# A connection that gapi keeps must not be closed at the moment when it is used again.
PULSE_HEAD_MS = 60_000
CONNECTIONS = 4096

_CELERY = ("celery", "-A", "pulse_tasks")


@dataclass(frozen=True)
class Listen:
    """Where a server process listens."""

    host: str
    port: int


def gapi(listen: Listen) -> tuple[str, ...]:
    return _granian("gapi_app:create_app", listen, HTTP_THREADS + STREAM_THREADS + WAITING_THREADS, GAPI_HEAD_MS)


def pulse(listen: Listen) -> tuple[str, ...]:
    return _granian("pulse_app:create_app", listen, HTTP_THREADS, PULSE_HEAD_MS)


def exchange(listen: Listen, ledger: str) -> tuple[str, ...]:
    options = ("--host", listen.host, "--port", str(listen.port), "--ledger", ledger)
    return ("python", "-m", "pulse_core.brokers.paper", *options)


def worker_slices() -> tuple[str, ...]:
    """The worker that places slices: many waits on the broker, little CPU."""
    return _worker("slices", threads=32)


def worker_control() -> tuple[str, ...]:
    """The worker that splits, tracks and sweeps, so that none of it holds up a placement."""
    return _worker("control", threads=8)


def beat() -> tuple[str, ...]:
    return (*_CELERY, "beat")


def flower(listen: Listen) -> tuple[str, ...]:
    return (*_CELERY, "flower", f"--address={listen.host}", f"--port={listen.port}")


def executable(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same command with the program of this virtual environment, whatever PATH says."""
    program, *arguments = command
    if program == "python":
        return (sys.executable, *arguments)
    return (str(Path(sys.executable).with_name(program)), *arguments)


def _granian(application: str, listen: Listen, threads: int, head_ms: int) -> tuple[str, ...]:
    return (
        "granian",
        "--interface=wsgi",
        "--factory",
        "--workers=1",
        f"--blocking-threads={threads}",
        "--no-ws",
        "--http=1",
        f"--http1-header-read-timeout={head_ms}",
        "--http1-buffer-size=16384",
        f"--backpressure={CONNECTIONS}",
        "--workers-kill-timeout=5",
        f"--host={listen.host}",
        f"--port={listen.port}",
        application,
    )


def _worker(queue: str, threads: int) -> tuple[str, ...]:
    options = ("-n", f"{queue}@%h", "-Q", queue, "--pool=threads", "-c", str(threads))
    return (*_CELERY, "worker", *options, "--without-gossip", "--without-mingle", "-E")
