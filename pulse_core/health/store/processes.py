"""One row for each process, written by it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.health.tables import Process
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.postgres.bounded import chosen_once

_NOW = func.clock_timestamp()


@dataclass(frozen=True)
class Identity:
    """What stays the same for as long as a process lives."""

    id: str
    kind: ProcessKind
    host: str
    pid: int
    version: str
    schema_revision: str | None
    settings_digest: str
    shared_settings: Mapping[str, str] | None


@dataclass(frozen=True)
class Vitals:
    """What changes; the columns of the same names say what it is."""

    clock_skew_seconds: float | None
    longest_task_seconds: float | None


def report(connection: Connection, who: Identity, how: Vitals) -> None:
    """Note that a process lives, at this instant of the database's clock. One of another kind keeps its row."""
    changing = {"seen_at": _NOW, **vars(how)}
    given = vars(who) | ({} if who.shared_settings is not None else {"shared_settings": null()})
    row = insert(Process).values(**given, **changing, started_at=_NOW)
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing, where=Process.kind == who.kind))


def end(session: Session, kind: ProcessKind, process_id: str) -> None:
    """Note that a process has ended as it should."""
    ended = update(Process).where(Process.id == process_id, Process.kind == kind, Process.ended_at.is_(None))
    session.execute(ended.values(ended_at=_NOW))


def keep_latest(connection: Connection, kind: ProcessKind, most: int) -> None:
    """Remove all but so many of a kind, those that were seen least lately."""
    latest_first = Process.seen_at.desc(), Process.id
    rows = select(Process.id).where(Process.kind == kind).order_by(*latest_first).offset(most).limit(100)
    old = rows.with_for_update(skip_locked=True)
    connection.execute(delete(Process).where(Process.id.in_(chosen_once(old))))


def forget(session: Session, before: datetime) -> None:
    """Remove processes that gave no sign of life since this instant."""
    old = select(Process.id).where(Process.seen_at < before).limit(100).with_for_update(skip_locked=True)
    session.execute(delete(Process).where(Process.id.in_(chosen_once(old))))
