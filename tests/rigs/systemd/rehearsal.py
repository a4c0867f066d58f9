"""The rehearsal: a new machine, Pulse installed there as the pages say, and what its operators and troubles do then."""

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click
import psycopg2
from psycopg2 import sql

from pulse_ops.stack.handed_on import handed_on
from pulse_ops.stack.processes import EXCHANGE
from tests.rigs.guide.page import examples
from tests.rigs.systemd.machine import Failed, Machine
from tests.rigs.systemd.trial import Trial
from tests.support.bootstrap import ROOT, copy_checkout
from tests.support.processes import Processes
from tests.support.servers import running_postgres, running_redis

OPERATIONS = ROOT / "docs" / "operations.md"
PAGE = ROOT / "docs" / "operations" / "systemd.md"
DATABASE, OWNER, SERVICES = "trading", "pulse_owner", "pulse_run"
EXCHANGE_PORT = 8002
# The machine reaches no package index: what pip takes has been fetched for it.
_PIP = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/src/wheels", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
_started = time.monotonic()


def rehearse(debian: Path, folder: Path, group: Path) -> None:
    """Everything, in namespaces that are ours alone; the wheels are in `folder`. Raises CannotRun, Failed."""
    subprocess.run(("ip", "link", "set", "lo", "up"), check=True)
    with ExitStack() as ends:
        root = ends.enter_context(_files(debian, folder / "files"))
        copy_checkout(root / "src" / "pulse")
        shutil.copytree(folder / "wheels", root / "src" / "wheels")
        ledger = root / "var/lib/pulse/exchange/ledger.sqlite"
        ledger.parent.mkdir(parents=True)
        urls = ends.enter_context(_servers(folder / "files", ledger))
        machine = Machine(root, group, folder / "systemd.log")
        machine.boot()
        say(machine.run("systemctl", "--version").splitlines()[0] + " runs")
        machine.run("bash", "-ec", _indented_block(OPERATIONS), env=_PIP)
        say("Pulse is installed")
        secrets_, units, for_commands = (one.text for one in examples(PAGE))
        try:
            machine.run("bash", "-e", "-o", "pipefail", "-c", secrets_ + units, env=urls)
            Trial(machine, for_commands, urls["PULSE_OWNER_DATABASE_URL"], say).run()
        except Failed:
            click.echo(machine.ask("journalctl", "--lines=40", "--unit=pulse-*").stdout, err=True)
            raise
        machine.power_off()
    say("all has ended")


def say(line: str) -> None:
    click.echo(f"{time.monotonic() - _started:4.0f} s  {line}")


@contextmanager
def _files(debian: Path, folder: Path) -> Iterator[Path]:
    """A file system that begins as this Debian; what is written to it stays in memory."""
    folder.mkdir()
    subprocess.run(("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder), check=True)
    for name in ("changes", "work", "root"):
        (folder / name).mkdir()
    layers = f"lowerdir={debian},upperdir={folder}/changes,workdir={folder}/work"
    subprocess.run(("mount", "-t", "overlay", "-o", layers, "overlay", folder / "root"), check=True)
    yield folder / "root"


@contextmanager
def _servers(folder: Path, ledger: Path) -> Iterator[dict[str, str]]:
    """Postgres with its two roles, Redis and the paper exchange beside the machine, and the URLs to export."""
    with (
        running_postgres(folder) as postgres,
        running_redis(folder) as valkey,
        closing(Processes(folder, handed_on(EXCHANGE, {"PATH": "/usr/bin"}))) as beside,
    ):
        beside.exchange(ledger, port=EXCHANGE_PORT)
        passwords = {role: secrets.token_hex(16) for role in (OWNER, SERVICES)}
        with closing(psycopg2.connect(postgres.url("postgres"))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for role, password in passwords.items():
                    cursor.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD %s").format(sql.Identifier(role)), (password,)
                    )
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (DATABASE, OWNER))))
        urls = {
            role: f"postgresql://{role}:{password}@127.0.0.1:{postgres.server.port}/{DATABASE}"
            for role, password in passwords.items()
        }
        yield {
            "DATABASE_URL": urls[SERVICES],
            "PULSE_OWNER_DATABASE_URL": urls[OWNER],
            "PULSE_QUEUE_URL": valkey.url,
        }


def _indented_block(page: Path) -> str:
    """The first block of commands that stands below a step of a list: how Pulse is installed."""
    found = re.search(r"^   ```sh\n(.*?)^   ```$", page.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{page.name} has no step with commands"
    return found[1]
