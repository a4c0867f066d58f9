"""A process whose wall clock is off, and no other clock of it: libfaketime."""

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support import debian, lacking

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
    if _found() is None and (reason := debian.why_not_installed("faketime")):
        lacking.skip(reason, could_run=debian.may_install())
    found = _found()
    assert found is not None, "libfaketime is not where Debian has it"
    return found


def _found() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
