"""An installation of two revisions ago, beside the tree that takes its place: both on the same servers."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pulse_core import migrations
from pulse_ops.stack.child import Child
from pulse_ops.stack.ports import free_port
from tests.support import servers
from tests.support.environment import environment_of
from tests.support.installation import SETTINGS, Installation
from tests.support.processes import Processes
from tests.support.servers import RunningPostgres

ROOT = Path(__file__).parents[2]
REVISIONS = "pulse_core/migrations/versions"
BACK = 2


@dataclass
class Upgrade:
    """Both trees with processes of their own, on the same servers."""

    installation: Installation
    postgres: RunningPostgres
    old: Processes
    new: Processes
    ports: dict[str, int]

    def start(self, tree: Processes, kind: str) -> Child:
        """A process of this kind, in place of the other tree's: pulse and gapi at the same address."""
        if kind == "gapi":
            return tree.gapi(self.ports["gapi"], PULSE_URL=f"http://127.0.0.1:{self.ports['pulse']}")[0]
        if kind == "pulse":
            return tree.pulse(self.ports["pulse"])[0]
        return {"slices": tree.worker_slices, "control": tree.worker_control, "beat": tree.beat}[kind]()


def old_tree_in(folder: Path) -> Path:
    """The newest commit whose newest revision is two before ours, in this folder. Skips the test where git lacks it."""
    commit = commit_before(f"{int(migrations.head()) - BACK + 1:04d}")
    archive = subprocess.run(("git", "archive", commit), cwd=ROOT, capture_output=True, check=True, timeout=60)
    subprocess.run(("tar", "-x", "-C", str(folder)), input=archive.stdout, check=True, timeout=60)
    newest = max(re.findall(r"^\d{4}", "\n".join(path.name for path in (folder / REVISIONS).iterdir()), re.MULTILINE))
    assert int(newest) == int(migrations.head()) - BACK
    return folder


def commit_before(revision: str) -> str:
    """The parent of the commit that brought a revision. Skips the test where the history does not reach back to it."""
    brought = ("--first-parent", "-m", "--diff-filter=A", "--format=%P", "--", f"{REVISIONS}/{revision}_*.py")
    told = subprocess.run(("git", "log", *brought), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    if not (parents := told.stdout.split()):
        pytest.skip(f"git knows no commit before revision {revision} here: a shallow clone, or no clone")
    return parents[0]


@contextmanager
def installation_of(old_tree: Path, folder: Path) -> Iterator[Upgrade]:
    """With the tables of the old tree, an exchange, and no other process yet."""
    with ExitStack() as opened:
        postgres = opened.enter_context(servers.running_postgres(folder))
        redis_url = opened.enter_context(servers.running_redis(folder)).url
        environment = opened.enter_context(environment_of(postgres.server.services_url(), redis_url)) | SETTINGS
        environment |= {"PULSE_OWNER_DATABASE_URL": postgres.url(), "PULSE_PAPER_EXCHANGE_URL": ""}
        new = Processes(folder, environment)
        opened.callback(new.close)
        _, exchange_url = new.exchange()
        new.environment = environment | {"PULSE_PAPER_EXCHANGE_URL": exchange_url}
        (folder / "old").mkdir()
        # PULSE_QUEUE_URL was called like this before revision 0037.
        theirs = {"PYTHONPATH": str(old_tree), "REDIS_URL": redis_url}
        old = Processes(folder / "old", {**new.environment, **theirs}, tree=old_tree)
        opened.callback(old.close)
        migrate(old)
        installation = Installation(folder, new.environment, None, postgres.server.services_url(), exchange_url)
        yield Upgrade(installation, postgres, old, new, {"pulse": free_port(), "gapi": free_port()})


def failures(upgrade: Upgrade) -> list[str]:
    """What any process of either tree has logged as an error."""
    logs = [child.log_path for tree in (upgrade.old, upgrade.new) for child in tree.children]
    lines = [line for path in logs for line in path.read_text().splitlines()]
    return [line for line in lines if '"level": "error"' in line or line.startswith("Traceback")]


def migrate(tree: Processes) -> None:
    """As `pulse migrate` of this tree does."""
    command = (sys.executable, "-c", "from pulse_ops.cli import main; main()", "migrate")
    done = subprocess.run(
        command, env=dict(tree.environment), cwd=tree.tree, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
