"""Log files of bounded size, and the lines of them that a person at the terminal should see."""

import json
import shutil
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LARGEST_BYTES = 20 * 1024 * 1024
LONGEST_LINE = 240
_LOUD = ("warning", "error", "critical")
_NOT_SHOWN = ("event", "level", "logger", "service", "timestamp")


class LogFile:
    """The growing log of one process, read from where it ended when this was made."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def news(self, is_verbose: bool) -> Iterator[str]:
        """The lines since the last call, fit for a terminal: warnings and worse, or all of them."""
        for line in self._new_lines():
            if shown := readable(line, is_verbose):
                yield f"{self._name}: {shown}"

    def bound(self) -> None:
        """Move the log aside when it is large. Its process appends, so it goes on at the start."""
        # No room for the copy is no reason to stop watching.
        with suppress(OSError):
            if self._path.stat().st_size > LARGEST_BYTES:
                shutil.copyfile(self._path, self._path.with_suffix(".log.1"))
                with self._path.open("r+b") as log:
                    log.truncate(0)
                self._offset = 0

    def _new_lines(self) -> list[str]:
        with suppress(FileNotFoundError), self._path.open("rb") as log:
            log.seek(self._offset)
            whole, _newline, _rest = log.read(1024 * 1024).rpartition(b"\n")
            self._offset += len(whole) + len(_newline)
            return whole.decode(errors="replace").splitlines()
        return []


def readable(line: str, is_verbose: bool) -> str | None:
    """One log line for a person; None when it is not for the terminal."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line if is_verbose else None
    if not isinstance(fields, dict):
        return line if is_verbose else None
    level = str(fields.get("level", "info"))
    if not is_verbose and level not in _LOUD:
        return None
    rest = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _NOT_SHOWN and value)
    return textwrap.shorten(f"{level} {fields.get('event', '')} {rest}", LONGEST_LINE, placeholder=" ...")
