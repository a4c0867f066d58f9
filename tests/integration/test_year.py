"""The history that is filled in for measurements is one that could have been."""

from pathlib import Path

from psycopg2 import extensions

from bench import year_rows
from bench.year_rows import History
from pulse_ops.verify import database
from pulse_ops.verify.archived import with_archive
from tests.integration.test_archive import account, archive, count, owner, same
from tests.support.servers import owner_url

__all__ = ["account", "owner"]


def test_a_history_as_it_is_filled_in_is_archived_whole(
    account: str, owner: extensions.connection, clean_database: str, tmp_path: Path
) -> None:
    year_rows.fill(owner_url(clean_database), History(days=2, slices_a_day=100))
    before = database.read(clean_database, "paper")

    assert archive(owner, tmp_path) == [2, 2]

    assert (len(before.slices), len(before.events)) == (200, 812)
    assert [count(name) for name in ("order_slices", "placements", "fills", "slice_events")] == [0] * 4
    assert same(with_archive(database.read(clean_database, "paper"), tmp_path, "paper")) == same(before)
