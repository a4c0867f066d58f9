"""What has to be right before the stack starts. Each problem is one sentence that names the way out."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from api_contract.key_strength import equal_keys, is_of_a_key, remedy
from pulse_core.config import wrong_settings
from pulse_ops.stack.config import FORMER_BIND_HOST, StackSettings
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.ports import is_free

NEEDED_BYTES = 500 * 1024 * 1024


def make_data_dir(data_dir: Path) -> None:
    """Make the folder, private when it is new. Raises StackError when that cannot be."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = data_dir / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StackError(
            f"{data_dir} cannot be written ({error.strerror}): give another folder with --data-dir."
        ) from error


def check_disk(data_dir: Path) -> None:
    """Raises StackError when too little is free for a database to live."""
    free = shutil.disk_usage(data_dir).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"Only {free // 2**20} MB are free on the disk of {data_dir}, {NEEDED_BYTES // 2**20} MB are needed: "
            "free some, or give a folder on another disk with --data-dir."
        )


def check_settings() -> None:
    """Raises StackError naming each variable that the services would refuse."""
    if FORMER_BIND_HOST in os.environ:
        raise StackError(
            f"{FORMER_BIND_HOST} is not read any more: set PULSE_GAPI_BIND_HOST to publish the gateway. "
            "Everything else listens on 127.0.0.1 alone."
        )
    _refuse(wrong_settings())


def check_keys(environment: Mapping[str, str]) -> None:
    """Raises StackError naming each key that is also that of another purpose: no process sees all of them."""
    _refuse(equal_keys({name: key for name, key in environment.items() if is_of_a_key(name)}))


def _refuse(faults: Mapping[str, str]) -> None:
    if faults:
        named = "; ".join(f"{variable} {fault}" for variable, fault in faults.items())
        raise StackError(f"The services cannot start: {named}.{remedy(faults, os.environ)}")


def check_ports(settings: StackSettings) -> None:
    """Raises StackError naming the first port that is taken or given twice."""
    seen: dict[int, str] = {}
    for name, port in ports_of(settings):
        if port in seen:
            raise StackError(f"Port {port} is set for {seen[port]} and for {name}: change one with --{name}-port.")
        seen[port] = name
        if not is_free(settings.host_of(port), port):
            raise StackError(
                f"Port {port} of {name} is taken{_by_whom(port)}: stop what uses it, or choose another "
                f"with --{name}-port or {_variable(name)}."
            )


def ports_of(settings: StackSettings) -> Iterator[tuple[str, int]]:
    """The ports that this stack will listen on, by the name of the service."""
    yield "gapi", settings.gapi_port
    yield "pulse", settings.pulse_port
    yield "flower", settings.flower_port
    yield "gapi-metrics", settings.gapi_metrics_port
    yield "pulse-metrics", settings.pulse_metrics_port
    yield "slices-metrics", settings.slices_metrics_port
    yield "control-metrics", settings.control_metrics_port
    yield "beat-metrics", settings.beat_metrics_port
    if settings.broker == "paper":
        yield "exchange", settings.exchange_port


def _variable(name: str) -> str:
    return f"PULSE_{name.upper().replace('-', '_')}_PORT"


def _by_whom(port: int) -> str:
    try:
        listening = [one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
        pid = next(one.pid for one in listening if one.laddr and one.laddr.port == port and one.pid)
        return f" by process {pid} ({psutil.Process(pid).name()})"
    except (StopIteration, psutil.Error):
        return ""
