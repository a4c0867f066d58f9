"""A real RabbitMQ on loopback: Debian's package, unpacked, with everything it owns in a folder of the test."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from kombu import Connection

from pulse_core.queue_away import UNREACHABLE
from pulse_ops.stack.child import Child, Program
from pulse_ops.stack.ports import free_port, is_free
from tests.support import debian, lacking, servers

PACKAGE = "rabbitmq-server"
_ERLANG = (
    *("base", "asn1", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools", "public-key", "runtime-tools"),
    *("ssl", "syntax-tools", "tools", "xmerl"),
)
_HOME = debian.CACHE / PACKAGE / "usr" / "lib"
# Names of this machine come from this file: nobody is asked for them.
_NAMES = '{lookup, [file]}. {host, {127,0,0,1}, ["localhost"]}.'
# It starts in 8 s of one core.
_PATIENCE_SECONDS = 120


class RunningRabbitMQ:
    """`child` is the broker itself; started again, it finds its queues and their messages."""

    def __init__(self, folder: Path) -> None:
        self.port, names_port, own_port = free_port(), free_port(), free_port()
        [programs] = (_HOME / "erlang").glob("erts-*/bin")
        environment = {**os.environ, **_environment(folder, programs, self.port, names_port)}
        # Erlang's nodes know each other by it. The broker would start one that outlives it.
        names = (str(programs / "epmd"), "-port", str(names_port), "-address", "127.0.0.1")
        names_answer = Program("epmd", names, lambda _pid: not is_free("127.0.0.1", names_port), environment)
        broker = Program("rabbitmq", _command(programs, own_port), lambda _pid: self._answers(), environment)
        self._names = Child(names_answer, folder / "names.log")
        self.child = Child(broker, folder / "rabbitmq.log")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def open(self) -> None:
        servers.start(self._names)
        self.start()

    def start(self) -> None:
        servers.start(self.child, _PATIENCE_SECONDS)

    def close(self) -> None:
        self.child.stop(15)
        self._names.stop(5)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        except UNREACHABLE:
            return False
        return True


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RunningRabbitMQ]:
    """A broker without messages, ended with the block. Skips the test where none can be had."""
    if reason := why_not():
        lacking.skip(reason)
    running = RunningRabbitMQ(folder)
    try:
        running.open()
        yield running
    finally:
        running.close()


@cache
def why_not() -> str | None:
    """Why it cannot be had here, in one sentence, or None. Gets it where it may; root is not needed for that."""
    return debian.why_not(PACKAGE, *(f"erlang-{name}" for name in _ERLANG))


def _environment(folder: Path, programs: Path, port: int, names_port: int) -> dict[str, str]:
    (folder / "hosts").write_text(_NAMES)
    return {
        "HOME": str(folder),
        "ROOTDIR": str(_HOME / "erlang"),
        "BINDIR": str(programs),
        "EMU": "beam",
        "PROGNAME": "erl",
        "ERL_LIBS": str(_needed(folder / "libraries")),
        "ERL_INETRC": str(folder / "hosts"),
        "ERL_EPMD_PORT": str(names_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "pulse@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PLUGINS_DIR": str(folder / "libraries"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled"),
        "RABBITMQ_CONFIG_FILE": str(folder / "configuration"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "SYS_PREFIX": "",
    }


def _command(programs: Path, own_port: int) -> tuple[str, ...]:
    return (
        *(str(programs / "erlexec"), "-noinput", "-boot", "start_sasl", "-s", "rabbit", "boot"),
        *("-sname", "pulse@localhost", "-syslog", "logger", "[]", "-syslog", "syslog_error_logger", "false"),
        *("-kernel", "inet_dist_use_interface", "{127,0,0,1}", "prevent_overlapping_partitions", "false"),
        *("inet_dist_listen_min", str(own_port), "inet_dist_listen_max", str(own_port)),
        *("+W", "w", "+S", "2:2", "+sbwt", "none"),
    )


def _needed(folder: Path) -> Path:
    """A folder with what the broker cannot do without: it looks through all that it finds at each start."""
    [plugins] = (_HOME / "rabbitmq" / "lib").glob("*/plugins")
    found = {path.name.rpartition("-")[0]: path for path in plugins.iterdir()}
    folder.mkdir()
    missing = ["rabbit", "rabbitmq_prelaunch"]
    while missing:
        name = missing.pop()
        if name not in found or (folder / found[name].name).exists():
            continue
        (folder / found[name].name).symlink_to(found[name])
        described = (found[name] / "ebin" / f"{name}.app").read_text()
        needs = re.search(r"\{applications,\s*\[(.*?)\]", described, re.DOTALL)
        missing += re.findall(r"\w+", needs[1]) if needs else []
    return folder
