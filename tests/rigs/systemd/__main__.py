"""`python -m tests.rigs.systemd`: the units of deploy/systemd, as their page says, under a real systemd."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tests.rigs.systemd.machine import PACKAGES, RELEASE, Failed, own_group, remove_group
from tests.rigs.systemd.rehearsal import rehearse
from tests.support.bootstrap import CannotRun, bootstrapped, download_wheels

# Whatever is started ends with the first process of its namespace, and no mount or port is seen outside.
_ALONE = ("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
CANNOT_RUN = 3


@click.command()
@click.option("--inside", nargs=3, hidden=True, type=click.Path(path_type=Path))
def main(inside: tuple[Path, Path, Path] | None) -> None:
    """Boot systemd, install and start the units, trade, kill and stop each of them, boot again, and judge.

    Takes root on Linux and Debian's packages, some minutes, and a gigabyte of memory meanwhile; what is bootstrapped is
    kept in the cache of the tests. Exits 1 when something did not happen as it should, 3 where it cannot run.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rehearse(*inside) if inside else start()
    except CannotRun as reason:
        click.echo(str(reason), err=True)
        sys.exit(CANNOT_RUN)
    except (Failed, AssertionError, subprocess.CalledProcessError) as error:
        click.echo(f"Failed: {error}", err=True)
        sys.exit(1)


def start() -> None:
    """Get what takes a network, then run `rehearse` where nothing of this machine is seen."""
    if subprocess.run((*_ALONE, "true"), stderr=subprocess.DEVNULL).returncode:
        raise CannotRun("Only root on Linux can start a machine of its own, where it may make namespaces.")
    group = own_group()
    debian = bootstrapped(f"debian-{RELEASE}-systemd", RELEASE, PACKAGES)
    with tempfile.TemporaryDirectory(prefix="pulse-systemd-") as folder:
        download_wheels(Path(folder) / "wheels", "ops")
        again = (sys.executable, "-m", "tests.rigs.systemd", "--inside", str(debian), folder, str(group))
        try:
            ended = subprocess.call((*_ALONE, *again), env=os.environ | {"PYTHONUNBUFFERED": "1"})
        finally:
            remove_group(group)
    sys.exit(ended)


if __name__ == "__main__":
    main()
