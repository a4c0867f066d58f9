"""The images that docker-compose.yml builds on, made without a registry: of a bootstrapped Debian and of wheels."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.containers.engine import Engine
from tests.support.bootstrap import bootstrapped, download_wheels

SERVERS = Path(__file__).parent / "servers"
PYTHON, POSTGRES, VALKEY = "python:3.11-slim-bookworm", "postgres:18-bookworm", "valkey/valkey:9.1"
BASE_RELEASE, BASE_PACKAGES = "bookworm", "python3-minimal,python3-venv,ca-certificates"
# Of the bridge that every engine makes.
INDEX_ADDRESS, INDEX_PORT = "172.17.0.1", 8099
_PIP = f"""[global]
no-index = true
find-links = http://{INDEX_ADDRESS}:{INDEX_PORT}/
trusted-host = {INDEX_ADDRESS}
disable-pip-version-check = true
"""


def make_python(engine: Engine) -> None:
    """Debian's Python where the official image has its own, with a pip that asks the index of `served_wheels`."""
    base = bootstrapped(f"debian-{BASE_RELEASE}", BASE_RELEASE, BASE_PACKAGES)
    if not (base / "usr/local/bin/python").exists():
        # Without packages of Debian's pip can remove what it finds.
        subprocess.run(("chroot", str(base), "python3", "-m", "venv", "/usr/local"), check=True)
    (base / "etc/pip.conf").write_text(_PIP)
    with subprocess.Popen(("tar", "-C", str(base), "-c", "."), stdout=subprocess.PIPE) as packed:
        assert packed.stdout is not None
        engine.run("docker", "import", "-", PYTHON, stdin=packed.stdout.fileno())


def make_servers(engine: Engine) -> None:
    """Postgres and Valkey, as far as docker-compose.yml uses their images."""
    there = engine.source / "servers"
    there.mkdir()
    for file in SERVERS.iterdir():
        (there / file.name).write_bytes(file.read_bytes())
    for target, image in (("postgres", POSTGRES), ("valkey", VALKEY)):
        engine.run("docker", "build", "--quiet", "--target", target, "--tag", image, "/src/servers")


@contextmanager
def served_wheels(engine: Engine, folder: Path) -> Iterator[None]:
    """The tested versions of all that the images install, served to builds for the length of the block."""
    folder.mkdir()
    download_wheels(folder, "ops", "embedded")
    serve = (sys.executable, "-m", "http.server", str(INDEX_PORT), "--bind", INDEX_ADDRESS, "--directory", str(folder))
    with (folder.parent / "index.log").open("wb") as log:
        server = subprocess.Popen(engine.command("--net", *serve), stdout=log, stderr=log)
        try:
            yield
        finally:
            server.terminate()
            server.wait()
