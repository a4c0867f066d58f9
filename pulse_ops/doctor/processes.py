"""What the processes say about themselves in the database, and which of them say nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong

SILENT_AFTER = 20.0
# A process takes a while from its start to its first report.
STARTING = 45.0
LONGEST_TASK = 90.0
TOLERATED_CLOCK_SECONDS = 2.0
# A worker of both queues stands in for either.
NEEDED = {
    "pulse": (Trouble.PULSE_AWAY, {"pulse"}),
    "worker-slices": (Trouble.WORKER_AWAY, {"worker-slices", "worker"}),
    "worker-control": (Trouble.WORKER_AWAY, {"worker-control", "worker"}),
    "beat": (Trouble.BEAT_AWAY, {"beat"}),
}
_STUCK = {
    "pulse": Trouble.PULSE_AWAY,
    "beat": Trouble.BEAT_AWAY,
    "gapi": Trouble.GATEWAY_AWAY,
    "flower": Trouble.FLOWER_AWAY,
}
# Who writes down what a process says that reaches no database itself.
_WRITTEN_BY = {"gapi": {"pulse"}, "flower": {"worker-control", "worker"}}

# One that was killed is no news once another of its kind has started on its machine.
_NOT_ENDED = """
SELECT kind, host, pid, version, schema_revision, left(settings_digest, 8), shared_settings,
       clock_skew_seconds, longest_task_seconds,
       extract(epoch FROM clock_timestamp() - started_at)::float8,
       extract(epoch FROM clock_timestamp() - seen_at)::float8
  FROM processes one
 WHERE ended_at IS NULL AND NOT EXISTS (
           SELECT FROM processes later
            WHERE (later.kind, later.host) = (one.kind, one.host)
              AND later.id <> one.id AND later.started_at > one.seen_at)
 ORDER BY kind, host, pid
"""


@dataclass(frozen=True)
class Reported:
    """A process that has not ended, by its own last report `seen_seconds` ago."""

    kind: str
    host: str
    pid: int
    version: str
    schema_revision: str | None
    settings_digest: str
    shared_settings: Mapping[str, str] | None
    clock_skew_seconds: float | None
    longest_task_seconds: float | None
    started_seconds: float
    seen_seconds: float

    @property
    def is_silent(self) -> bool:
        return self.seen_seconds > SILENT_AFTER

    @property
    def name(self) -> str:
        return f"{self.kind} (process {self.pid} on {self.host})"


def read_processes(cursor: Any) -> Sequence[Reported]:
    """Every process that has not ended in an orderly way."""
    cursor.execute(_NOT_ENDED)
    return [Reported(*row) for row in cursor.fetchall()]


def none_is_missing(found: Sequence[Reported], age_seconds: float) -> Iterator[Finding]:
    """Of each kind there has to be one; `age_seconds` is how long the deployment has been running."""
    living = [one for one in found if not one.is_silent]
    oldest = max((one.started_seconds for one in living), default=float("inf"))
    is_starting = min(age_seconds, oldest) < STARTING
    for kind, (trouble, stand_ins) in NEEDED.items():
        if any(one.kind in stand_ins for one in found):
            continue
        if is_starting:
            yield fine(kind, "has not reported itself yet")
        else:
            yield wrong(kind, trouble, f"no {kind} reports itself")


def each_goes_on(found: Sequence[Reported]) -> Iterator[Finding]:
    """One that is stopped, or whose machine has vanished, gives no sign of life; one may hang in a task."""
    living = {one.kind for one in found if not one.is_silent}
    for one in found:
        writers = _WRITTEN_BY.get(one.kind)
        if one.is_silent and writers and not writers & living:
            yield fine(one.kind, f"not known: no {min(writers)} writes down what it says")
        elif one.is_silent:
            trouble = _STUCK.get(one.kind, Trouble.WORKER_STUCK)
            yield wrong(one.kind, trouble, f"{one.name} gave its last sign of life {one.seen_seconds:.0f} s ago")
        elif (one.longest_task_seconds or 0) > LONGEST_TASK:
            yield wrong(
                one.kind, Trouble.WORKER_STUCK, f"{one.name} has been at one task for {one.longest_task_seconds:.0f} s"
            )
        else:
            yield fine(one.kind, f"process {one.pid} on {one.host} goes on")


def clocks_agree(found: Sequence[Reported]) -> Iterator[Finding]:
    """The wall clock of each machine beside the database's."""
    for one in found:
        skew = one.clock_skew_seconds
        if skew is not None and abs(skew) > TOLERATED_CLOCK_SECONDS:
            where = "ahead of" if skew > 0 else "behind"
            yield wrong(
                f"clock of {one.kind}", Trouble.CLOCK_OFF, f"{one.name} is {abs(skew):.1f} s {where} the database"
            )


def code_agrees(found: Sequence[Reported], revision: str | None) -> Iterator[Finding]:
    """A process of another version may not know the tables as they are."""
    for one in found:
        if not one.is_silent and one.schema_revision not in (None, revision):
            detail = (
                f"{one.name}, version {one.version}, is made for {one.schema_revision}, the database is at {revision}"
            )
            yield wrong(f"version of {one.kind}", Trouble.CODE_DIFFERS, detail)


def settings_agree(found: Sequence[Reported]) -> Iterator[Finding]:
    """What trading goes by must be the same everywhere; others may differ, as a larger pool of connections does."""
    living = [one for one in found if not one.is_silent and one.shared_settings is not None]
    if told := _different(living):
        yield wrong("settings", Trouble.SETTINGS_DIFFER, "; ".join(told))
        return
    digests = {one.settings_digest for one in living}
    if len(digests) > 1:
        yield fine("settings", f"differ between processes ({len(digests)} sets): see `pulse status`")
    elif digests:
        yield fine("settings", "are the same in all processes")


def _different(living: Sequence[Reported]) -> list[str]:
    """A clause for each setting that is not the same in all that tell of it."""
    stated: dict[str, dict[str, list[str]]] = {}
    for one in living:
        for variable, value in (one.shared_settings or {}).items():
            stated.setdefault(variable, {}).setdefault(value, []).append(one.name)
    return [
        f"{variable} is " + " and ".join(f"{value or 'empty'} at {', '.join(at)}" for value, at in values.items())
        for variable, values in sorted(stated.items())
        if len(values) > 1
    ]
