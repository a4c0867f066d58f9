"""The tables of processes and of the last run of each sweep. Nothing of the trading rests on them."""

from datetime import datetime
from typing import Any

from sqlalchemy import Double, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from pulse_core.health.vocabulary import ProcessKind
from pulse_core.postgres.table_base import Base, words


class Process(Base):
    """A process from its start to its end, written by itself every few seconds; `id` is new at each start.

    A gateway has its row written by pulse, and Flower by a worker: they reach no database, so they are made for no
    `schema_revision` of its tables, and have no `shared_settings`.

    `clock_skew_seconds` is how far its wall clock is ahead of the database's, `longest_task_seconds` how long the
    oldest task that is under way in it has taken so far. `shared_settings` are those that all processes must have
    alike, by their variables. `ended_at` is set when it ends in an orderly way.
    """

    __tablename__ = "processes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[ProcessKind] = mapped_column(words(ProcessKind, "kind"))
    host: Mapped[str]
    pid: Mapped[int] = mapped_column(Integer)
    version: Mapped[str]
    schema_revision: Mapped[str | None] = mapped_column(String(32))
    settings_digest: Mapped[str] = mapped_column(String(64))
    shared_settings: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    clock_skew_seconds: Mapped[float | None] = mapped_column(Double)
    longest_task_seconds: Mapped[float | None] = mapped_column(Double)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SweepRun(Base):
    """The last run of a sweep, in whatever process. `found` is None where it failed.

    `failing_since`, `error_code` and `error_message` are set while the last run failed.
    """

    __tablename__ = "sweep_runs"

    sweep: Mapped[str] = mapped_column(String(60), primary_key=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    seconds: Mapped[float] = mapped_column(Double)
    found: Mapped[int | None] = mapped_column(Integer)
    failing_since: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
