"""`pulse trace`: one order's life, from the gateway's log to the broker's answers."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from pulse_core.trading.order.history import OrderHistory, order_history
from pulse_ops.cli import options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import clock_time, instant, print_json, print_table, say
from pulse_ops.timeline import Moment, timeline

STDIN = Path("-")


@click.command()
@click.argument("order_id")
@click.option(
    "--logs",
    "places",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, allow_dash=True),
    help="Log file, or a folder of *.log files; - reads stdin. May be repeated.  [default: the stack's logs]",
)
@options.as_json
@options.data_dir
def trace(order_id: str, places: tuple[Path, ...], is_json: bool, data_dir: Path | None) -> None:
    """Show everything that happened to an order on one line of time.

    Takes the events from DATABASE_URL, else from the running stack's database, and the lines of gateway, pulse and
    workers from logs in JSON: docker compose logs --no-color | pulse trace ORDER --logs -
    """
    use_database(data_dir)
    history = order_history(order_id)
    files = _files(places or (options.stack_settings(data_dir=data_dir).data_dir / "logs",))
    if not files:
        say("There are no logs here; --logs FILE adds them. Without, this is what the database knows.")
    moments = timeline(history, _lines(files))
    if is_json:
        print_json({"order_id": history.order_id, "trace": history.trace, "moments": [asdict(one) for one in moments]})
        return
    _print(history, moments)


def _files(places: Sequence[Path]) -> list[Path]:
    """The files to read; what was moved aside when it became long comes first."""
    files: list[Path] = []
    for place in places:
        files += sorted(place.glob("*.log*"), key=lambda path: (path.stem, path.suffix)) if place.is_dir() else [place]
    return [path for path in files if path == STDIN or path.is_file()]


def _lines(files: Sequence[Path]) -> Iterator[str]:
    for path in files:
        if path == STDIN:
            yield from sys.stdin
            continue
        with path.open(errors="replace") as log:
            yield from log


def _print(history: OrderHistory, moments: Sequence[Moment]) -> None:
    click.echo(f"{history.order_id}  accepted {instant(history.created_at)}")
    for name, value in history.trace.items():
        click.echo(f"{name:<12}{value}")
    print_table(("time", ">after s", "from", ">slice", "what", "details"), (_row(history, one) for one in moments))


def _row(history: OrderHistory, one: Moment) -> Sequence[object]:
    after = f"{(one.at - history.created_at).total_seconds():.3f}"
    number = None if one.slice_number is None else f"{one.slice_number}/{history.num_splits}"
    details = " ".join(f"{name}={value}" for name, value in one.detail.items())
    return clock_time(one.at), after, one.source, number, one.what, details
