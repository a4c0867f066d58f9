"""One stack for each data folder: a lock that a killed stack cannot leave behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pulse_ops.stack.errors import StackError


@contextmanager
def only_stack_on(data_dir: Path) -> Iterator[None]:
    """Hold the data folder. Raises StackError while another stack holds it."""
    path = data_dir / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(_refusal(data_dir, path)) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_held(data_dir: Path) -> bool:
    """Whether a stack runs on this folder, be it starting or stopping."""
    try:
        with (data_dir / "lock").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _refusal(data_dir: Path, path: Path) -> str:
    pid = path.read_text().strip()
    return (
        f"A stack runs on {data_dir} already (process {pid}): "
        "stop that one with Ctrl-C, or start this one with other ports and --data-dir."
    )
