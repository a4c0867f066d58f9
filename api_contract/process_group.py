"""The processes of one server count in one folder, so that whichever answers `/metrics` speaks for all of them.

The folder is named after the process that started them, and removed once that one is gone.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# The client of Prometheus reads it when it is imported, and then counts in files.
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def join() -> None:
    """Count together with the other processes of this server, if it has started this one as one of several.

    Call it before the client of Prometheus is imported. A folder that somebody has set is taken as it is.
    """
    if VARIABLE in os.environ:
        Path(os.environ[VARIABLE]).mkdir(parents=True, exist_ok=True)
    elif multiprocessing.parent_process() is not None:
        os.environ[VARIABLE] = str(_folder_of(os.getppid(), _private_folder()))


def folder() -> Path | None:
    """Where the processes of this server count; None where there is only one."""
    return Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None


def dead(counts: Path) -> Iterator[int]:
    """The processes that have counted there and are gone."""
    pids = {int(file.stem.rpartition("_")[2]) for file in counts.glob("*.db")}
    return (pid for pid in pids if _started_at(pid) is None)


def _private_folder() -> Path:
    shared = Path(tempfile.gettempdir()) / f"pulse-metrics-{os.getuid()}"
    with suppress(FileExistsError):
        shared.mkdir(mode=0o700)
    # Whoever else could write there could have us read files of his.
    seen = shared.lstat()
    is_private = seen.st_uid == os.getuid() and not seen.st_mode & 0o022 and shared.is_dir()
    return shared if is_private else Path(tempfile.mkdtemp(prefix="pulse-metrics-"))


def _folder_of(parent: int, shared: Path) -> Path:
    for left in shared.iterdir():
        pid, _, started = left.name.partition("-")
        if pid.isdigit() and _started_at(int(pid)) != started:
            shutil.rmtree(left, ignore_errors=True)
    mine = shared / f"{parent}-{_started_at(parent)}"
    mine.mkdir(mode=0o700, exist_ok=True)
    return mine


def _started_at(pid: int) -> str | None:
    """When a process was started, in ticks since the boot; None for one that is gone. A pid alone may be used again."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state == "Z" else fields[18]
