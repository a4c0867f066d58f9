"""A machine in namespaces: a minimal Debian in a folder, its process 1, and what installs this checkout there."""

import configparser
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.debian import CACHE

ROOT = Path(__file__).parents[2]
MIRROR = "http://deb.debian.org/debian"
# Older than 3.11.3, as Debian's Python is, redis needs it.
OF_DEBIANS_PYTHON = ("async-timeout",)
STARTS_SECONDS = 60.0


class CannotRun(Exception):
    """Why a machine of one's own cannot be made here, in a sentence."""


def bootstrapped(name: str, release: str, packages: str) -> Path:
    """A minimal Debian with these packages in a folder of this name, kept for the next time. Raises CannotRun."""
    if os.geteuid() != 0 or sys.platform != "linux":
        raise CannotRun("Only root on Linux can start a machine of its own.")
    root = CACHE / name
    if root.exists():
        return root
    if not shutil.which("debootstrap"):
        _get("apt-get", "update", "-qq")
        _get("apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap")
    unfinished = CACHE / f"{name}.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    _get("debootstrap", "--variant=minbase", f"--include={packages}", release, str(unfinished), MIRROR)
    for leftover in (unfinished / "var/cache/apt/archives").glob("*.deb"):
        leftover.unlink()
    return unfinished.rename(root)


def first_process(outer: "subprocess.Popen[bytes]") -> int:
    """Process 1 of the namespaces that `unshare --fork` makes, by its id outside of them. Raises CannotRun."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    deadline = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < deadline and outer.poll() is None:
        with suppress(OSError):
            if pids := children.read_text().split():
                return int(pids[0])
        time.sleep(0.05)
    raise CannotRun("The namespaces of a machine could not be made here.")


def copy_checkout(there: Path) -> None:
    """What git knows of this checkout, changes included, into a new folder."""
    there.mkdir(parents=True)
    files = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, check=True).stdout
    present = b"\0".join(name for name in files.split(b"\0") if name and (ROOT / name.decode()).is_file())
    pack = ("tar", "--null", "--files-from=-", "-c")
    packed = subprocess.run(pack, cwd=ROOT, input=present, capture_output=True, check=True).stdout
    subprocess.run(("tar", "-x", "--no-same-owner"), cwd=there, input=packed, check=True)


def download_wheels(folder: Path, *extras: str) -> None:
    """The tested versions of all that this checkout takes with these extras, for Debian's Python. Raises CannotRun."""
    wanted = (*requirements(*extras), *OF_DEBIANS_PYTHON, "setuptools", "wheel")
    options = ("-qq", "--only-binary=:all:", "--python-version=3.11", "--constraint=constraints.txt")
    download = (sys.executable, "-m", "pip", "download", *options, "--dest", folder, *wanted)
    if subprocess.run(download, cwd=ROOT).returncode:
        raise CannotRun("The packages of setup.cfg cannot be had here: pip download failed.")


def requirements(*extras: str) -> Sequence[str]:
    """What setup.cfg asks for, with these extras."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg")
    texts = [settings["options"]["install_requires"], *(settings["options.extras_require"][one] for one in extras)]
    return [line for text in texts for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _get(*command: str) -> None:
    try:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotRun(f"Debian's packages cannot be had here: {' '.join(command[:2])} failed.") from error
