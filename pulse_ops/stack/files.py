"""Small files of the stack: private to their owner, and whole or absent after a crash."""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600
# What a stack writes into its data folder, which may hold files of others.
_OURS = ("lock", "run.json", "secrets.json", "logs", "exchange", "redis", "postgres")


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text`, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def make_private(data_dir: Path) -> None:
    """Let nobody but their owner read what an earlier stack has left in its folder."""
    data_dir.chmod(_FOLDER)
    for path in (data_dir / name for name in _OURS):
        # Postgres looks after its data itself, and may run as another user.
        for one in (path, *(path.glob("*") if path.name == "postgres" else path.rglob("*"))):
            _make_private(one)


def _make_private(path: Path) -> None:
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            path.chmod(stat.S_IMODE(mode) & (_FOLDER if stat.S_ISDIR(mode) else _FILE))


def kept_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(24)) -> str:
    """The text of `path`, generated and kept there at the first call."""
    if not path.exists():
        write_private(path, make())
    return path.read_text().strip()
