"""The page's steps to install Pulse, followed by hand on servers that run already."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pulse_ops.stack import lock, running
from pulse_ops.stack.errors import NotRunning
from tests.rigs.guide.operator import Operator, an_operator, as_superuser, own_words_for
from tests.rigs.guide.page import examples
from tests.support.processes import wait_until
from tests.support.servers import running_postgres, running_redis
from tests.support.stacks import environment_for
from tests.support.standby import query

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "operations.md"
SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "tests", "docs", "bench")
# What runs is what was installed.
NOT_OURS = {"PYTHONPATH": ""}


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Operator]:
    """In the folder of the source, with a Postgres and a Redis that run."""
    source, data_dir = tmp_path / "source", tmp_path / "data"
    shutil.copytree(ROOT, source, ignore=SOURCE)
    with running_postgres(tmp_path) as postgres, running_redis(tmp_path) as redis:
        superuser = postgres.url("postgres")
        query(superuser, "DROP DATABASE pulse")
        own_words = own_words_for(
            PAGE,
            {
                **as_superuser(superuser, "psql"),
                "/opt/pulse": str(tmp_path / "opt"),
                "/var/lib/pulse": str(data_dir),
                "127.0.0.1/pulse": f"127.0.0.1:{postgres.server.port}/pulse",
                "redis://:REDIS_PASSWORD@127.0.0.1/0": redis.url,
            },
        )
        with an_operator(source, environment_for(data_dir) | NOT_OURS, own_words) as opened:
            try:
                yield opened
            finally:
                end_stack(data_dir)


def end_stack(data_dir: Path) -> None:
    with suppress(NotRunning):
        os.kill(running.find(data_dir).supervisor_pid, signal.SIGTERM)
        wait_until(lambda: not lock.is_held(data_dir), 60, "the end of the stack")


def test_who_follows_the_page_has_an_order_filled_and_nothing_to_find_fault_with(newcomer: Operator) -> None:
    *steps, trade = examples(PAGE, "Install")
    newcomer.follow(*steps)
    told = newcomer.follow(trade).stdout
    assert "0 violations" in told
