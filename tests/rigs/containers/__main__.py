"""`python -m tests.rigs.containers`: docker-compose.yml as it is, on a Docker engine started for it."""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.rigs.containers.engine import Engine, running_engine
from tests.rigs.containers.images import PYTHON, make_python, make_servers, served_wheels
from tests.rigs.containers.trial import Deployment, Failed, trade_and_kill
from tests.support.bootstrap import CannotRun

IMAGES = ("pulse-services:local", "pulse-workshop:local")
_started = time.monotonic()


@click.command()
def main() -> None:
    """Build both images, start all containers, trade, kill each container, judge, and take everything down.

    Takes root on Linux and Debian's packages, about ten minutes, and three gigabytes meanwhile; what is bootstrapped is
    kept in the cache of the tests. Exits 1 when something did not happen as it should, 3 where it cannot run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with tempfile.TemporaryDirectory(prefix="pulse-containers-") as folder, running_engine(Path(folder)) as engine:
            run(engine, Path(folder))
    except CannotRun as reason:
        click.echo(str(reason), err=True)
        sys.exit(3)
    except (Failed, subprocess.CalledProcessError) as error:
        click.echo(f"Failed: {error}", err=True)
        sys.exit(1)


def run(engine: Engine, folder: Path) -> None:
    say("the engine answers")
    make_python(engine)
    deployment = Deployment(engine)
    deployment.copy()
    with served_wheels(engine, folder / "wheels"):
        make_servers(engine)
        deployment.compose("build", "--quiet")
    base = _size(engine, PYTHON)
    for image in IMAGES:
        say(f"{image} is {_size(engine, image)} MB; its base, which stands for the official one, {base} MB")
    deployment.compose("up", "--detach", "--wait", "--quiet-pull")
    say("all containers are healthy")
    trade_and_kill(deployment, say)
    deployment.compose("down", "--volumes", "--timeout", "30")
    say("all is taken down")


def say(line: str) -> None:
    click.echo(f"{time.monotonic() - _started:4.0f} s  {line}")


def _size(engine: Engine, image: str) -> int:
    return int(engine.run("docker", "image", "inspect", "--format", "{{.Size}}", image)) // 1_000_000


if __name__ == "__main__":
    main()
