"""Measure: `python -m bench [--quick] [--rows accept,latency]`."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psycopg2
import redis
import requests
from rich.console import Console

from bench.children import ROOT, BenchError
from bench.context import Bench
from bench.machine import load_average, machine
from bench.rows import ON_REQUEST, ROWS
from bench.sizes import FULL, QUICK, Sizes
from bench.table import markdown, print_results

RESULTS = ROOT / "bench" / "results.json"
PARTIAL = ROOT / "bench" / "results-partial.json"
_FAILURES = (
    BenchError,
    psycopg2.Error,
    redis.RedisError,
    requests.RequestException,
    subprocess.SubprocessError,
    OSError,
    # A figure of nothing: no slice was sent, no fill was seen.
    ValueError,
)
_WIDTH = 150
_ON_REQUEST = f"Without it all but: {', '.join(sorted(ON_REQUEST))}."


@click.command()
@click.option("--quick", is_flag=True, help="Smaller and fewer runs: about ten minutes.")
@click.option("--rows", "--only", default="", help=f"Rows, by commas: {', '.join(ROWS)}. {_ON_REQUEST}")
@click.option(
    "--day-minutes",
    type=click.FloatRange(0.5, 20),
    help=f"Length of the row day, {FULL.day_minutes:g} in a full run: the exchange takes 5,000 orders a day.",
)
@click.option("--results", type=click.Path(path_type=Path, dir_okay=False), help="Where the results go, as JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with the logs and the database.")
def main(quick: bool, rows: str, day_minutes: float | None, results: Path | None, keep: bool) -> None:
    """Measure the product beside its floors on this machine, and write results.json and a table.

    A quick run and one of some rows are written to results-partial.json.
    """
    chosen = _chosen(rows)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    started_at, started = datetime.now(UTC), time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:4.0f} s  {line}[/dim]", highlight=False)

    found: dict[str, Any] = {
        "started_at": f"{started_at:%Y-%m-%d %H:%M} UTC",
        "is_quick": quick,
        "machine": machine(),
        "rows": [],
    }
    # Children are in process groups of their own: they are ended here, whatever ends us. Who is started in the
    # background has Ctrl-C ignored, so that it is named too.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="pulse-bench-"))
    bench = Bench(folder, _sizes(quick, day_minutes), say)
    path = results or (PARTIAL if quick or rows or day_minutes else RESULTS)
    try:
        for key in chosen:
            found["rows"].append(_measured(bench, key))
    except KeyboardInterrupt:
        # What was measured so far, but not in place of full results.
        if found["rows"]:
            _write(_finished(found, started), PARTIAL if path == RESULTS else path)
        raise
    finally:
        # A second Ctrl-C would leave processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        bench.close()
        if keep:
            console.print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    _write(_finished(found, started), path)
    print_results(found, console)
    if any("failed" in row for row in found["rows"]):
        raise SystemExit(1)


def _sizes(quick: bool, day_minutes: float | None) -> Sizes:
    sizes = QUICK if quick else FULL
    return replace(sizes, day_minutes=day_minutes) if day_minutes else sizes


def _chosen(rows: str) -> list[str]:
    names = [name.strip() for name in rows.split(",") if name.strip()] or [
        name for name in ROWS if name not in ON_REQUEST
    ]
    if unknown := [name for name in names if name not in ROWS]:
        raise click.BadParameter(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", param_hint="--rows")
    return names


def _measured(bench: Bench, key: str) -> dict[str, Any]:
    """One row, or what kept it from being measured; the others are measured all the same."""
    if bench.is_time_up:
        return {"key": key, "title": key, "left_out": "the time of a quick run is up"}
    bench.say(f"measuring {key}")
    try:
        row = ROWS[key](bench).as_json()
        bench.children.check_alive()
    except _FAILURES as error:
        bench.start_over()
        return {"key": key, "title": key, "failed": f"{type(error).__name__}: {error}"}
    return row


def _finished(found: dict[str, Any], started: float) -> dict[str, Any]:
    found["machine"]["load_after"] = load_average()
    found["seconds"] = round(time.monotonic() - started, 1)
    return found


def _write(found: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")
    path.with_suffix(".md").write_text(markdown(found))


if __name__ == "__main__":
    main()
