"""A process whose wall clock is off, and no other clock of it: libfaketime."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "faketime")
_HERE = Path(__file__).parent


def faked(environment: Mapping[str, str], seconds: float) -> dict[str, str]:
    """What a process needs in its environment to have a wall clock that is ahead by so much."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME": f"{seconds:+g}s",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_HERE / "under_faketime"), environment.get("PYTHONPATH")))),
    }


def library() -> Path:
    """libfaketime, installed where that is possible. Skips the test where it is not."""
    found = _found() or (_install() if os.geteuid() == 0 else None)
    if found is None:
        pytest.skip("libfaketime is not here and cannot be installed: apt-get install faketime")
    return found


def _found() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def _install() -> Path | None:
    try:
        subprocess.run(_INSTALL, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"faketime cannot be installed: {error}")
    return _found()
