"""How commands print: data on stdout, messages on stderr, and nothing a person typed is taken for markup."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pulse_client.reading import Answer

_WIDTH_OF_FILES = 250


def say(line: str) -> None:
    """A message for the person at the terminal."""
    click.echo(line, err=True)


def print_json(value: Any) -> None:
    """One line of JSON: instants with Z, prices as strings."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns whose name starts with `>` are aligned to the right. None is shown as a dash."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one of each in a line."""
    for name, value in facts:
        click.echo(f"{name:<10}{value}")


def console() -> Console:
    """Stdout. What goes to a file or a pipe is not broken at the width of a terminal."""
    width = None if sys.stdout.isatty() else _WIDTH_OF_FILES
    return Console(file=sys.stdout, width=width, markup=False, emoji=False, highlight=False)


def instant(at: datetime | None) -> str | None:
    """In UTC, to the second."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def clock_time(at: datetime | None) -> str | None:
    """The time of the day in UTC, to the millisecond."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds")[11:23]


def _plain(value: object) -> object:
    if isinstance(value, Answer):
        return value.as_json()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return str(value)
    msg = f"{type(value)} has no place in JSON"
    raise TypeError(msg)
