"""Debian's packages: installed, or unpacked into a cache.

What is unpacked starts no service and takes no root; what is installed takes both its dependencies and root.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pulse-tests"
_INSTALL = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends")


def why_not(package: str, *beside: str) -> str | None:
    """Why a package cannot be had here, in one sentence, or None. Unpacks it, with those beside it, where it may."""
    if (CACHE / package).exists():
        return None
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return f"{package} is not installed, and without apt-get it cannot be had here"
    try:
        _unpack(package, *beside)
    except subprocess.CalledProcessError as error:
        return _why(package, error)
    return None


def program(package: str, name: str) -> str | None:
    """Where a program of the package is, on this machine or in the cache; None where it is not there."""
    beside = os.pathsep.join(str(CACHE / package / "usr" / folder) for folder in ("bin", "sbin"))
    return shutil.which(name) or shutil.which(name, path=f"{beside}{os.pathsep}/usr/sbin")


def may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def why_not_installed(*packages: str) -> str | None:
    """Install them. Why that cannot be done, in one sentence, or None."""
    names = " and ".join(packages)
    if not may_install():
        return f"{names} cannot be installed: that takes root and apt-get"
    try:
        _get(*_INSTALL, *packages)
    except subprocess.CalledProcessError as error:
        return _why(names, error)
    return None


def _unpack(*packages: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        _get("apt-get", "download", *packages, folder=folder)
        unpacked = Path(folder) / "unpacked"
        for file in Path(folder).glob("*.deb"):
            _run("dpkg-deb", "-x", str(file), str(unpacked), folder=folder)
        # Another process may have been faster; its programs are the same.
        if not (CACHE / packages[0]).exists():
            unpacked.rename(CACHE / packages[0])


def _get(*command: str, folder: str = "/") -> None:
    try:
        _run(*command, folder=folder)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update", folder=folder)
        _run(*command, folder=folder)


def _run(*command: str, folder: str) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=180)


def _why(names: str, error: subprocess.CalledProcessError) -> str:
    return f"{names} cannot be had: {(error.stderr or str(error)).strip().splitlines()[0]}"
