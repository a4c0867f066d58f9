"""What came from another package is as it came: by its hash, and against the package where a registry answers."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("gapi_app/web/static/vendor", "tests/web/vendor")
LISTED: list[tuple[Path, dict[str, Any]]] = [
    (ROOT / folder, one)
    for folder in FOLDERS
    for one in tomllib.loads((ROOT / folder / "VENDORED.toml").read_text())["file"]
]
NAMES = [one["path"] for _folder, one in LISTED]


@pytest.mark.parametrize(("folder", "listed"), LISTED, ids=NAMES)
def test_a_vendored_file_is_the_one_that_was_looked_at(folder: Path, listed: dict[str, Any]) -> None:
    content = (folder / listed["path"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == listed["sha256"]
    assert listed["version"].encode() in content, "it is of this version"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_vendored_file_is_listed(folder: str) -> None:
    there = {one.name for one in (ROOT / folder).iterdir()} - {"VENDORED.toml"}
    assert there == {one["path"] for place, one in LISTED if place == ROOT / folder}


@pytest.mark.skipif("PULSE_CI_RUN" not in os.environ, reason="it asks a registry: only where everything is tested")
@pytest.mark.parametrize(("folder", "listed"), LISTED, ids=NAMES)
def test_a_vendored_file_is_that_of_the_package(folder: Path, listed: dict[str, Any], tmp_path: Path) -> None:
    package = _packed(f"{listed['package']}@{listed['version']}", tmp_path)
    kind, _dash, told = listed["integrity"].partition("-")
    assert hashlib.new(kind, package.read_bytes()).digest() == base64.b64decode(told)
    with tarfile.open(package) as archive:
        member = archive.extractfile(listed["member"])
        assert member is not None
        assert member.read() == (folder / listed["path"]).read_bytes()


def _packed(package: str, folder: Path) -> Path:
    """The archive of a package, from whatever registry npm is set to; skips where none answers."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm: the package was not compared")
    command = [npm, "pack", package, "--silent", "--pack-destination", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, timeout=90, cwd=folder)
    except subprocess.TimeoutExpired:
        pytest.skip("no registry of npm's answers: the package was not compared")
    if made.returncode:
        pytest.skip(f"no registry of npm's gives {package}: it was not compared")
    return next(folder.glob("*.tgz"))
