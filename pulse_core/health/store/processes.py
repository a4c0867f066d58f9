"""One row for each process, written by it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update
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
    schema_revision: str
    settings_digest: str
    shared_settings: Mapping[str, str]


@dataclass(frozen=True)
class Vitals:
    """What changes; the columns of the same names say what it is."""

    clock_skew_seconds: float | None
    longest_task_seconds: float | None


def report(connection: Connection, who: Identity, how: Vitals) -> None:
    """Note that a process lives, at this instant of the database's clock."""
    changing = {"seen_at": _NOW, **vars(how)}
    row = insert(Process).values(**vars(who), **changing, started_at=_NOW)
    connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=changing))


def end(session: Session, process_id: str) -> None:
    """Note that a process has ended as it should."""
    session.execute(update(Process).where(Process.id == process_id).values(ended_at=_NOW))


def forget(session: Session, before: datetime) -> None:
    """Remove processes that gave no sign of life since this instant."""
    old = select(Process.id).where(Process.seen_at < before).limit(100).with_for_update(skip_locked=True)
    session.execute(delete(Process).where(Process.id.in_(chosen_once(old))))
