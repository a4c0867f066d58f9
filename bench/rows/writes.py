"""What a slice writes in Postgres over its whole life: WAL, commits, rows on disk."""

import time

from bench.context import Bench
from bench.due import CONNECTIONS, UNFINISHED, accept_and_split, bring_due, soon, wait_until_none
from bench.figures import Figure, Row, single
from bench.written import Written, written

SLICES_PER_ORDER = 100
# A backend that became idle tells its commits within this time.
_TOLD_SECONDS = 11


def measure(bench: Bench) -> Row:
    count, site = bench.sizes.written_slices, bench.site
    row = Row(
        "writes",
        f"What {count:,} slices write in Postgres, from their orders' acceptance until those are done",
        operation="slice",
        floor="none",
    )
    site.forget_orders()
    idle = _idle(bench)
    site.open_new_ledger()
    # Its first change of a page after a checkpoint writes the whole page.
    site.ask("CHECKPOINT")
    started = time.monotonic()
    with written(site) as life:
        made = accept_and_split(site, bench.tokens, count // SLICES_PER_ORDER, SLICES_PER_ORDER, CONNECTIONS)
        with written(site) as due:
            bring_due(site, made, soon())
            wait_until_none(site, UNFINISHED)
        time.sleep(_TOLD_SECONDS)
    seconds = time.monotonic() - started
    ((rows, disk),) = site.ask(
        "SELECT (SELECT count(*) FROM slice_events), pg_database_size(current_database())::bigint"
    )
    site.forget_orders()
    row.figures += [
        Figure("WAL per slice", "kB", single(life.wal_bytes / 1000 / count)),
        Figure("WAL per slice, from its due time on", "kB", single(due.wal_bytes / 1000 / count)),
        Figure("disk per slice, with indexes", "kB", single(life.disk_bytes / 1000 / count)),
        Figure("commits per slice", "", single((life.commits - idle.commits / _TOLD_SECONDS * seconds) / count)),
        Figure("events per slice", "", single(rows / count)),
        Figure("commits a second, idle", "1/s", single(idle.commits / _TOLD_SECONDS)),
    ]
    row.details["bytes of the database before its orders were removed"] = disk
    row.notes.append(
        f"{count // SLICES_PER_ORDER} orders of {SLICES_PER_ORDER} slices, after a checkpoint; commits without those "
        "of an idle stack; the benchmark's own move of the slices to their time counts as WAL"
    )
    return row


def _idle(bench: Bench) -> Written:
    time.sleep(_TOLD_SECONDS)
    with written(bench.site) as idle:
        time.sleep(_TOLD_SECONDS)
    return idle
