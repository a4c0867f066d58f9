"""The pages for operators, followed by hand: their commands run on a whole stack as they stand there."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pulse_ops.stack.processes import BEAT, EXCHANGE, FLOWER, GAPI, PULSE, WORKER_CONTROL, WORKER_SLICES
from tests.rigs.guide.operator import Operator, an_operator
from tests.rigs.guide.page import examples
from tests.support.processes import wait_until
from tests.support.stacks import Stack, running_stack

pytestmark = pytest.mark.timeout(300)

PAGES = Path(__file__).parents[3] / "docs" / "operations"
PARTS = ("redis", "postgres", EXCHANGE, WORKER_SLICES, WORKER_CONTROL, PULSE, GAPI, BEAT, FLOWER)
PATIENCE_SECONDS = 120
PLACED = "pulse orders place --instrument NSE:SBIN --side BUY --quantity 40 --splits 4 --minutes 1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Of these tests alone: others would count its restarts."""
    with running_stack(tmp_path_factory.mktemp("operations")) as started:
        yield started


@pytest.fixture
def operator(stack: Stack, tmp_path: Path) -> Iterator[Operator]:
    with an_operator(tmp_path, {"PULSE_DATA_DIR": str(stack.data_dir)}) as opened:
        yield opened


def test_a_worker_is_added_and_taken_away_as_the_page_says(operator: Operator) -> None:
    assert operator.follow(*examples(PAGES / "workers.md")).stdout == ""


def test_after_the_loss_of_every_part_the_steps_of_the_page_end_well(stack: Stack, operator: Operator) -> None:
    placed = operator.shell.run(PLACED)
    assert placed.exit_code == 0, placed
    lost = {name: stack.pid_of(name) for name in PARTS}
    for pid in lost.values():
        with suppress(ProcessLookupError):
            os.kill(pid or 0, signal.SIGKILL)
    wait_until(lambda: all(stack.pid_of(name) not in (None, pid) for name, pid in lost.items()), PATIENCE_SECONDS)
    operator.follow(*examples(PAGES / "losses.md"))
    assert "0 violations" in (operator.shell.folder / "verify.txt").read_text()
