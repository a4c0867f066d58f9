"""A package of Debian's, unpacked into a cache: no service is installed or started, and root is not needed for it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pulse-tests"


def why_not(package: str) -> str | None:
    """Why it cannot be had here, in one sentence, or None. Gets it where that may be done."""
    if (CACHE / package).exists():
        return None
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return f"{package} is not installed, and without apt-get it cannot be had here"
    try:
        _unpack(package)
    except subprocess.CalledProcessError as error:
        return f"{package} cannot be had: {(error.stderr or str(error)).strip().splitlines()[0]}"
    return None


def skip(reason: str) -> None:
    """Skip the test for this reason. A machine of CI that has apt-get fails instead."""
    if os.environ.get("CI") == "true" and shutil.which("apt-get"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(package: str, name: str) -> str | None:
    """Where a program of the package is, on this machine or in the cache; None where it is not there."""
    beside = os.pathsep.join(str(CACHE / package / "usr" / folder) for folder in ("bin", "sbin"))
    return shutil.which(name) or shutil.which(name, path=f"{beside}{os.pathsep}/usr/sbin")


def _unpack(package: str) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        try:
            _run("apt-get", "download", package, folder=folder)
        except subprocess.CalledProcessError:
            if os.geteuid() != 0:
                raise
            _run("apt-get", "update", folder=folder)
            _run("apt-get", "download", package, folder=folder)
        (file,) = Path(folder).glob(f"{package}_*.deb")
        unpacked = Path(folder) / "unpacked"
        _run("dpkg-deb", "-x", str(file), str(unpacked), folder=folder)
        # Another process may have been faster; its programs are the same.
        if not (CACHE / package).exists():
            unpacked.rename(CACHE / package)


def _run(*command: str, folder: str) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=180)
