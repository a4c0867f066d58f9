"""The cells there are, and whose account is in which: from `PULSE_CELLS_FILE`, or the one at `PULSE_URL`.

A username leads to one cell and no other. So it is unique across them without any of them being asked: who logs in
with it is looked for there, and a user of this name is added there.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_contract.service_keys import PrivateKey, read_private_key

# Of the one cell that there is without a file.
ONLY = "main"
MOST_CELLS, MOST_NAMES = 8, 100_000
NAME = re.compile("[a-z][a-z0-9-]{0,15}")
_URL = re.compile(r"https?://[^/\s]+")
_USERNAME = re.compile(r"[a-z0-9][a-z0-9_.@-]{0,63}")
_ANY_MORE = "*"
_FIELDS, _OF_CELL = {"default", "cells"}, {"url", "users", "service_private_key"}


class BadCells(ValueError):
    """A file of cells that must not be served from; says what is wrong with it."""


@dataclass(frozen=True)
class Cell:
    """One pulse, and the key that signs what it is asked.

    `tag`: what tells its tokens and keys from those of others; None of the default cell, whose have none.
    """

    name: str
    url: str
    key: PrivateKey
    tag: str | None = None


class Cells:
    """All cells by their names, the default one first."""

    def __init__(self, default: Cell, others: Mapping[str, Cell], users: Mapping[str, str]) -> None:
        self.default = default
        self._by_name = {default.name: default, **others}
        self._users = users
        self._longest_first = sorted((one for one in users if one.endswith(_ANY_MORE)), key=len, reverse=True)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def named(self, name: str | None) -> Cell | None:
        """The cell of this name, the default one for None; None where there is none."""
        return self.default if name is None else self._by_name.get(name)

    def of_user(self, username: str) -> Cell:
        """The cell in which the account of this name is, or would be: by the name, else by how it begins."""
        if username in self._users:
            return self._by_name[self._users[username]]
        for start in self._longest_first:
            if username.startswith(start[:-1]):
                return self._by_name[self._users[start]]
        return self.default


def one_cell(url: str, key: PrivateKey) -> Cells:
    """An installation without a file of cells."""
    return Cells(Cell(ONLY, url, key), {}, {})


def read_cells(path: Path, key: PrivateKey) -> Cells:
    """The cells in a file; `key` signs for those that name none of their own. Raises BadCells."""
    given = _object(path)
    cells, default = given.get("cells"), given.get("default")
    if not isinstance(cells, dict) or not 1 <= len(cells) <= MOST_CELLS:
        raise BadCells(f'must have "cells", an object of 1 to {MOST_CELLS} cells by their names')
    if unknown := given.keys() - _FIELDS:
        raise BadCells(f'has "{min(unknown)}", which is not known: it has "default" and "cells"')
    if not isinstance(default, str) or default not in cells:
        raise BadCells('must have "default", the name of one of its cells')
    made = {name: _cell(name, one, key, default) for name, one in cells.items()}
    if len({one.url for one in made.values()}) != len(made):
        raise BadCells("has two cells with one url")
    return Cells(made.pop(default), made, _users(cells))


def _object(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(path.read_text(), object_pairs_hook=_without_repeats)
    except OSError:
        raise BadCells("names a file that cannot be read") from None
    except (ValueError, RecursionError) as fault:
        raise (fault if isinstance(fault, BadCells) else BadCells("names a file that is no JSON")) from None
    if not isinstance(given, dict):
        raise BadCells("names a file that is no JSON object")
    return given


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadCells(f'has "{name[:64]}" twice in one object')
        found[name] = value
    return found


def _cell(name: str, given: Any, key: PrivateKey, default: Any) -> Cell:
    if not NAME.fullmatch(name):
        raise BadCells(f'has the cell "{name[:64]}": a name has 1 to 16 of a-z, 0-9 and -, a letter first')
    if not isinstance(given, dict) or not isinstance(given.get("url"), str) or not _URL.fullmatch(given["url"]):
        raise BadCells(f'has the cell {name} without a "url" such as http://10.0.2.5:8001')
    if unknown := given.keys() - _OF_CELL:
        raise BadCells(f'has "{min(unknown)}" in the cell {name}, which is not known')
    own = given.get("service_private_key")
    return Cell(name, given["url"], key if own is None else _key(name, own), None if name == default else name)


def _key(name: str, given: Any) -> PrivateKey:
    try:
        if not isinstance(given, str):
            raise ValueError("is not the name of a file")
        return read_private_key(given)
    except ValueError as fault:
        raise BadCells(f"has the cell {name}, whose service_private_key {fault}") from None


def _users(cells: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, one in cells.items():
        users = one.get("users", [])
        if not isinstance(users, list) or len(users) > MOST_NAMES:
            raise BadCells(f'has "users" of the cell {name} that are no list of at most {MOST_NAMES} names')
        for user in users:
            if not isinstance(user, str) or not _USERNAME.fullmatch(user.removesuffix(_ANY_MORE)):
                raise BadCells(f"has a user of the cell {name} that is neither a username nor the start of one and *")
            if user in found:
                raise BadCells(f"has the user {user} in the cells {found[user]} and {name}, or twice in one")
            found[user] = name
    return found
