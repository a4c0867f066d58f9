"""The wall clocks of single processes, moved while they run: each has a file that tells libfaketime how far."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import debian

_SLEEP_THAT_WORKS = Path(__file__).with_name("faked")
_FOUND_IN = Path("/usr/lib")


def library() -> Path | None:
    """libfaketime for programs with threads; installed where it is missing and may be (Debian, as root)."""
    found = next(_FOUND_IN.glob("*/faketime/libfaketimeMT.so.1"), None)
    if found is None and debian.why_not_installed("faketime") is None:
        found = next(_FOUND_IN.glob("*/faketime/libfaketimeMT.so.1"), None)
    return found


class Clocks:
    """One file for each name in `folder`; a process started with the `variables` of a name goes by its file."""

    def __init__(self, folder: Path, preloaded: Path) -> None:
        self.folder = folder
        self._preloaded = preloaded
        folder.mkdir(parents=True, exist_ok=True)

    def variables(self, name: str) -> dict[str, str]:
        self._move(name, 0)
        return {
            "LD_PRELOAD": str(self._preloaded),
            "FAKETIME_TIMESTAMP_FILE": str(self._file(name)),
            "FAKETIME_CACHE_DURATION": "1",
            # Only what a clock says goes wrong, never how long something takes.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_SLEEP_THAT_WORKS), os.environ.get("PYTHONPATH")))),
        }

    @contextmanager
    def moved(self, name: str, seconds: float) -> Iterator[None]:
        """The clock of every process of this name is that much ahead while the block lasts."""
        self._move(name, seconds)
        try:
            yield
        finally:
            self._move(name, 0)

    def _move(self, name: str, seconds: float) -> None:
        # Renamed into place: half a number must not be read.
        written = self._file(name).with_suffix(".new")
        written.write_text(f"{seconds:+.3f}\n")
        written.rename(self._file(name))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.clock"
