"""What the figures were measured on."""

import os
import platform
import subprocess
from importlib.metadata import version

import psutil

from bench.children import ROOT
from pulse_ops.stack import binaries

_PACKAGES = ("celery", "kombu", "redis", "flask", "granian", "sqlalchemy", "psycopg2-binary", "requests", "urllib3")


def machine() -> dict[str, object]:
    """Facts of the machine and versions, at the start of a run."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": load_average(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
        "postgres": _first_line(str(binaries.postgres_bin() / "postgres"), "--version"),
        "redis": _first_line(str(binaries.redis_server()), "--version"),
        "packages": {name: version(name) for name in _PACKAGES},
        "commit": _first_line("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
    }


def load_average() -> list[float]:
    """Processes that wanted a core, over the last minute, five and fifteen."""
    return [round(one, 2) for one in os.getloadavg()]


def _first_line(*command: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return (ran.stdout or "unknown").splitlines()[0]
