"""Names of the exchange's environment variables: `PULSE_PAPER_SEED` for `--seed`, `PAPER_SEED` before.

An old name is read where the new one is not set, and is warned about.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

PREFIX = "PULSE_"


def ours(name: str) -> list[str]:
    """The variables that an option is read from; the first that is set counts."""
    return [PREFIX + name, name]


class SetByVariables(click.Command):
    """A command each option of which has a variable of its own, unless it names another."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for option in self.params:
            option.envvar = option.envvar or ours(f"PAPER_{option.name}".upper())

    def old_names_set(self) -> list[str]:
        """A clause for each variable that is set under its old name, without its value."""
        return [_clause(new, old) for new, old in self._renamed() if os.environ.get(old)]

    def _renamed(self) -> Iterator[tuple[str, str]]:
        for option in self.params:
            if isinstance(option.envvar, list):
                yield option.envvar[0], option.envvar[1]


class Secret(click.Option):
    """An option that a file may hold: `KITE_API_KEY_FILE` names the one of `KITE_API_KEY`."""

    def resolve_envvar_value(self, context: click.Context) -> str | None:
        """The variable's value, else the text of the file without the end of its line."""
        value, variable = super().resolve_envvar_value(context), f"{self.envvar}_FILE"
        path = os.environ.get(variable)
        if value is not None or not path:
            return value
        try:
            secret = Path(path).read_text().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{variable} names {path}, which cannot be read ({error}).") from None
        if not secret.strip():
            raise click.UsageError(f"{variable} names {path}, which is empty.")
        return secret


def _clause(new: str, old: str) -> str:
    if (os.environ.get(new) or os.environ[old]) == os.environ[old]:
        return f"{old} is now {new}"
    return f"{old} is now {new}, which is set to something else and counts"
