"""Names of the exchange's environment variables: `PULSE_PAPER_SEED` for `--seed`, `PAPER_SEED` before.

An old name is read where the new one is not set, and is warned about.
"""

import os
from collections.abc import Iterator
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


def _clause(new: str, old: str) -> str:
    if (os.environ.get(new) or os.environ[old]) == os.environ[old]:
        return f"{old} is now {new}"
    return f"{old} is now {new}, which is set to something else and counts"
