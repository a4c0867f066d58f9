"""An installation of two revisions ago is upgraded while orders come in: process by process, old and new mixed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulse_core import migrations
from pulse_ops.stack.child import Child
from tests.rigs.guide.operator import Operator, an_operator
from tests.rigs.guide.page import examples
from tests.support.installation import Installation
from tests.support.upgrades import BACK, Upgrade, failures, installation_of, old_tree_in

pytestmark = pytest.mark.timeout(600)

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
MIGRATE, LOOK = examples(PAGE, "Upgrades")
WORKERS = 2
# The order in which the old make way.
CHANGED = ("slices", "control", "beat", "pulse", "gapi")


@pytest.fixture
def upgrade(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Upgrade]:
    with installation_of(old_tree_in(tmp_path_factory.mktemp("old")), tmp_path) as opened:
        yield opened


@pytest.fixture
def operator(upgrade: Upgrade, tmp_path: Path) -> Iterator[Operator]:
    """With the new code, and the page that says what to do."""
    folder = tmp_path / "operator"
    folder.mkdir()
    with an_operator(folder, upgrade.new.environment) as opened:
        yield opened


def test_two_revisions_back_is_upgraded_while_orders_come_in(upgrade: Upgrade, operator: Operator) -> None:
    installation = upgrade.installation
    kinds = ("pulse", "gapi", "control", *("slices",) * WORKERS, "beat")
    running = [(kind, upgrade.start(upgrade.old, kind)) for kind in kinds]
    installation.gapi_url = f"http://127.0.0.1:{upgrade.ports['gapi']}"
    installation.trade(is_watching=True)
    installation.wait_for_trades()
    assert made_for(installation) == {int(migrations.head()) - BACK}

    operator.follow(MIGRATE)
    installation.wait_for_trades()

    # Workers first, as old servers go on beside them; each worker works beside its successor for a while.
    for kind, old in sorted(running, key=lambda one: CHANGED.index(one[0])):
        is_worker = kind in ("slices", "control")
        if is_worker:
            upgrade.start(upgrade.new, kind)
            installation.wait_for_trades()
        end(old)
        if not is_worker:
            upgrade.start(upgrade.new, kind)
        installation.wait_for_trades()

    assert made_for(installation) == {int(migrations.head()) - BACK, int(migrations.head())}
    operator.follow(LOOK)
    installation.come_to_an_end()
    assert installation.broken_promises() == []
    assert installation.trader.unexpected == []
    assert failures(upgrade) == []


def end(old: Child) -> None:
    """As a supervisor does who never has to kill."""
    old.ask_to_stop()
    assert old.wait(30), f"{old.program.name} goes on:\n{old.log_tail()}"
    old.kill()


def made_for(installation: Installation) -> set[int]:
    """The newest revisions that the processes know which have reported themselves."""
    told = "SELECT DISTINCT schema_revision FROM processes WHERE schema_revision IS NOT NULL"
    return {int(revision) for (revision,) in installation.rows(told)}
