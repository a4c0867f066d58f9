"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from api_contract.variables import as_set
from pulse_ops.stack.config import StackSettings

Command = Callable[..., Any]

data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the stack (PULSE_DATA_DIR, else .pulse).",
)
disk_floor = click.option(
    "--disk-floor",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    metavar="MB",
    help="Free space below which a disk counts as nearly full.",
)
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON, for programs.")


def stack_settings(**given: object) -> StackSettings:
    """The settings of the environment, with the options that were given on top. Raises UsageError."""
    try:
        return StackSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise click.UsageError(_what_is_wrong(error)) from error


def _what_is_wrong(error: ValidationError) -> str:
    faults = (f"{_name(fault['loc'])} {fault['msg'][0].lower()}{fault['msg'][1:]}" for fault in error.errors())
    return "; ".join(faults) + "."


def _name(location: tuple[int | str, ...]) -> str:
    name = str(location[0]).upper()
    return name if name.startswith("DATABASE_URL") else as_set(f"PULSE_{name.removeprefix('PULSE_')}")
