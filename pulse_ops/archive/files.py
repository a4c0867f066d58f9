"""A day in folders of its own: in each, for each table, a gzip file of JSON lines, and a manifest with their digests.

A folder, a part of its day, has its name when all that is in it is on the disk, and is never written to again. Nearly
every day has one. What has changed since it was written is written again, as a whole, in the next part, which counts.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

MANIFEST, VERSION = "manifest.json", 1
_DAY, _PART = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"part-\d{4}")


class Damaged(Exception):
    """What is in the archive is not what was written."""


@dataclass(frozen=True)
class File:
    """The rows and the SHA-256 (hex) of a file."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a part holds, by table; `revision` is that of the tables, `installation` the mark of whose rows they are."""

    kind: str
    day: date
    revision: str
    installation: str
    written_at: str
    tables: Mapping[str, File]


@dataclass(frozen=True, order=True)
class Part:
    """The folder of a part of a day."""

    archive: Path
    kind: str
    day: date
    number: int

    @property
    def folder(self) -> Path:
        return self.archive / self.kind / self.day.isoformat() / f"part-{self.number:04}"

    def path(self, table: str) -> Path:
        return self.folder / f"{table}.jsonl.gz"


def days_in(archive: Path, kind: str) -> list[date]:
    """The days of this kind in the archive, the oldest first."""
    return [date.fromisoformat(name) for name in _names(archive / kind, _DAY)]


def parts_of(archive: Path, kind: str, day: date) -> list[Part]:
    """The parts of a day that were written whole, in the order in which they were."""
    names = _names(archive / kind / day.isoformat(), _PART)
    return [Part(archive, kind, day, int(name.removeprefix("part-"))) for name in names]


def write(part: Part, revision: str, installation: str, at: str, tables: Mapping[str, Iterable[str]]) -> None:
    """Write a part's rows, one JSON object a line, and give it its name once all of it is on the disk.

    What an earlier try has left unfinished goes.
    """
    unfinished = part.folder.with_name(part.folder.name + ".unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    # What only some may read in the database, not everybody may read here.
    unfinished.mkdir(parents=True, mode=0o700)
    written = {name: _write_table(unfinished / part.path(name).name, lines) for name, lines in tables.items()}
    manifest = Manifest(part.kind, part.day, revision, installation, at, written)
    with (unfinished / MANIFEST).open("x") as file:
        json.dump({"version": VERSION, **asdict(manifest), "day": part.day.isoformat()}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(unfinished)
    unfinished.rename(part.folder)
    for folder in list(part.folder.parents)[:3]:
        _sync_folder(folder)


def read_manifest(part: Part) -> Manifest:
    """What the part is said to hold. Raises Damaged."""
    path = part.folder / MANIFEST
    try:
        read = json.loads(path.read_text())
        version = read.pop("version")
        tables = {name: File(**one) for name, one in read["tables"].items()}
        manifest = Manifest(**read | {"day": date.fromisoformat(read["day"]), "tables": tables})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from error
    if version != VERSION:
        raise Damaged(f"{path} is of version {version}; this release reads version {VERSION}")
    if (manifest.kind, manifest.day) != (part.kind, part.day):
        raise Damaged(f"{path} is about {manifest.kind} of {manifest.day}")
    return manifest


def check(part: Part) -> Manifest:
    """Read every file of a part to its end and compare it with the manifest. Raises Damaged."""
    manifest = read_manifest(part)
    for table, told in manifest.tables.items():
        found = File(sum(1 for _ in rows(part, table)), _digest(part.path(table)))
        if found != told:
            raise Damaged(f"{part.path(table)} is not what was written: {found} instead of {told}")
    return manifest


def lines(part: Part, table: str) -> Iterator[str]:
    """The rows of a table as they were written. Raises Damaged."""
    path = part.path(table)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                yield line.removesuffix("\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from error


def rows(part: Part, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table, fractions as Decimal. Raises Damaged."""
    for line in lines(part, table):
        try:
            found = json.loads(line, parse_float=Decimal)
        except ValueError as error:
            raise Damaged(f"{part.path(table)} has a line that is no row: {line[:80]}") from error
        yield found


def _write_table(path: Path, lines: Iterable[str]) -> File:
    rows = 0
    with path.open("xb") as raw:
        # Without its own name and time in it, the same rows make the same file.
        with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            for line in lines:
                packed.write(line.encode() + b"\n")
                rows += 1
        raw.flush()
        os.fsync(raw.fileno())
    return File(rows, _digest(path))


def _names(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if pattern.fullmatch(one.name)) if folder.is_dir() else []


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Damaged(f"{path} cannot be read: {error}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
