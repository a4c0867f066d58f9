"""What a year of trading costs: `python -m bench.year --days 250 --slices 5000`.

Two sites stand side by side: one with a day of history, one with many. The same calls are made at both in turns, and
their quicker quarters compared. Then the long history is archived, but for its last day, and they are compared again.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import year_rows
from bench.archived import archive_all_but_the_last_day
from bench.children import Children
from bench.clients import Client
from bench.figures import quantile
from bench.rows.tables import Asked, milliseconds, timer
from bench.stack import FRONT, Servers, Site
from bench.sweep_timer import DUE_QUERY
from bench.year_rows import SLICES_PER_ORDER, History
from pulse_core.sweeps import SWEEPS

# A shared machine only ever adds to a time: the quicker calls say more than the others.
QUICKER = 0.25
WAITING = 1000
PAGES = {
    "a page of 20 orders": "/api/orders?limit=20",
    "the oldest orders": "/api/orders?limit=20&sort=created_at",
    "an order": "/api/orders/{order}",
    "its slices": "/api/orders/{order}/slices",
    "its fills": "/api/orders/{order}/fills",
    "its events": "/api/orders/{order}/events?format=json",
    "the last events": "/api/events?format=json&after={event}",
}


@dataclass
class Side:
    """A site with its history, and the milliseconds of each call there."""

    site: Site
    token: str
    paths: dict[str, str]
    times: dict[str, list[float]] = field(default_factory=dict)
    client: Client = field(init=False)

    def quick(self, name: str) -> float:
        return quantile(self.times[name], QUICKER)


@click.command(help=__doc__)
@click.option("--days", default=250, show_default=True, help="Days of trading in the long history.")
@click.option("--slices", "slices_a_day", default=5000, show_default=True, help="Slices of each day, by fifties.")
@click.option("--calls", default=20, show_default=True, help="How often everything is called at each site.")
def main(days: int, slices_a_day: int, calls: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pulse-year-"))
    children = Children(folder / "logs")
    try:
        servers = Servers(folder, children)
        short = _side(servers, children, folder, 1, History(1, slices_a_day, WAITING // SLICES_PER_ORDER))
        long = _side(servers, children, folder, 2, History(days, slices_a_day, WAITING // SLICES_PER_ORDER))
        _measure(short, long, calls)
        _show(f"after {days} days", short, long)
        with _timed(f"archived {days - 1} days"):
            archived = _archive(long.site, folder / "archive")
        click.echo(f"  {archived} orders, {_size(folder / 'archive'):.1f} MB of files")
        _measure(short, long, calls)
        _show("after they were archived", short, long)
    finally:
        children.close()
        shutil.rmtree(folder, ignore_errors=True)


def _side(servers: Servers, children: Children, folder: Path, number: int, history: History) -> Side:
    site = Site(servers, children, folder / str(number), number, prefix=f"{number} ")
    site.start(FRONT)
    (token,) = site.log_in_new_accounts(1)
    with _timed(f"filled the tables with {history.days} days of {history.slices_a_day} slices"):
        year_rows.fill(site.database_url, history)
    [(order, event)] = site.ask("SELECT max(order_id), max(sequence) FROM slice_events")
    paths = {name: path.format(order=order, event=event - 100) for name, path in PAGES.items()}
    return Side(site, token, paths)


def _measure(short: Side, long: Side, calls: int) -> None:
    sides = (short, long)
    for side in sides:
        # The gateway ends a connection that has rested.
        side.client = Client(side.site.gapi_port, side.token)
    with timer(short.site) as of_short, timer(long.site) as of_long:
        for name in (*PAGES, DUE_QUERY, *SWEEPS):
            for side, asked in zip(sides, (of_short, of_long), strict=True):
                side.times[name] = []
                _call(side, asked, name)
            for _ in range(calls):
                for side, asked in zip(sides, (of_short, of_long), strict=True):
                    side.times[name].append(_call(side, asked, name))


def _call(side: Side, asked: Asked, name: str) -> float:
    if name not in side.paths:
        return milliseconds(asked, name)
    started = time.perf_counter()
    side.client.ask("GET", side.paths[name])
    return (time.perf_counter() - started) * 1000


def _archive(site: Site, archive: Path) -> int:
    """Archive all days but the last one of the history; how many orders that were."""
    days = archive_all_but_the_last_day(site.database_url, archive, datetime.now(UTC))
    site.ask("VACUUM (ANALYZE)")
    return sum(day.orders for day in days)


def _show(when: str, short: Side, long: Side) -> None:
    click.echo(f"\n{when}, ms of the quicker quarter: a day, the long history, and how many times that is")
    for name in long.times:
        one, other = short.quick(name), long.quick(name)
        click.echo(f"  {name:32} {one:9.2f} {other:9.2f}   x {other / one:.2f}")
    sizes = [year_rows.megabytes(side.site.database_url) for side in (short, long)]
    click.echo("MB with indexes: a day, the long history")
    for table in year_rows.TABLES:
        click.echo(f"  {table:32} {sizes[0][table]:9.1f} {sizes[1][table]:9.1f}")
    click.echo(f"  {'together':32} {sum(sizes[0].values()):9.1f} {sum(sizes[1].values()):9.1f}\n")


@contextmanager
def _timed(what: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    click.echo(f"{what} in {time.monotonic() - started:.1f} s")


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1_000_000


if __name__ == "__main__":
    main()
