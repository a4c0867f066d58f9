"""Each process says in the database that it lives, and how its sweeps went."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, text

from pulse_core import config, db, migrations
from pulse_core.brokers.port import BookUnavailable
from pulse_core.clock import utcnow
from pulse_core.health import signs
from pulse_core.health.agreement import differences
from pulse_core.health.reporter import Reporter, identity
from pulse_core.health.settings_digest import digest
from pulse_core.health.signs import Sign, note_sign
from pulse_core.health.sweep_journal import SweepJournal
from pulse_core.health.vocabulary import ProcessKind
from tests.support.processes import wait_until
from tests.support.servers import RunningPostgres
from tests.support.settings import started_with

pytestmark = pytest.mark.usefixtures("clean_database")


def rows(query: str) -> Sequence[Row[tuple[object, ...]]]:
    with db.transaction() as session:
        return session.execute(text(query)).all()


@pytest.fixture
def runs() -> SweepJournal:
    return SweepJournal()


@pytest.fixture
def reporting(runs: SweepJournal) -> Reporter:
    return Reporter(identity(os.getpid(), ProcessKind.WORKER_CONTROL), lambda: 1.5, runs)


def test_a_process_has_one_row_which_tells_who_it_is_and_how_it_is(reporting: Reporter) -> None:
    reporting.report()
    (first,) = rows("SELECT * FROM processes")
    reporting.report()
    (second,) = rows("SELECT * FROM processes")

    assert (first.kind, first.pid, first.schema_revision) == ("worker-control", os.getpid(), migrations.head())
    assert abs(first.clock_skew_seconds) < 1
    assert (first.longest_task_seconds, first.ended_at) == (1.5, None)
    assert (second.started_at, second.seen_at > first.seen_at) == (first.started_at, True)


def test_a_process_that_ends_says_so(reporting: Reporter) -> None:
    reporting.report()
    reporting.end()

    ((ended_at,),) = rows("SELECT ended_at FROM processes")
    assert ended_at is not None


@pytest.mark.parametrize(("hours", "left"), [("24", ["beat"]), ("26", ["beat", "worker-control"])])
def test_a_process_without_a_sign_of_life_for_as_long_as_is_set_is_forgotten(
    reporting: Reporter, hours: str, left: list[str]
) -> None:
    reporting.report()
    rows("UPDATE processes SET seen_at = now() - interval '25 hours' RETURNING id")
    with started_with("PULSE_RETENTION_PROCESS_HOURS", hours):
        Reporter(identity(os.getpid(), ProcessKind.BEAT), lambda: None, SweepJournal()).report()

    assert [kind for (kind,) in rows("SELECT kind FROM processes ORDER BY kind")] == left


def a_sign(process_id: str = "0" * 32, **changes: Any) -> Sign:
    return replace(Sign(process_id, "front-1", 4711, "0.1.0", "0" * 64, 250), **changes)


def test_a_process_without_a_database_has_one_row_however_often_and_late_it_says_that_it_lives() -> None:
    for sign in (a_sign(), a_sign(clock_ahead_ms=-1500), a_sign(has_ended=True), a_sign(has_ended=True)):
        note_sign(ProcessKind.GAPI, sign)
    (ended,) = rows("SELECT * FROM processes")
    note_sign(ProcessKind.GAPI, a_sign(clock_ahead_ms=None))

    (late,) = rows("SELECT * FROM processes")
    assert (ended.kind, ended.host, ended.pid, ended.version) == ("gapi", "front-1", 4711, "0.1.0")
    assert (ended.schema_revision, ended.shared_settings, ended.clock_skew_seconds) == (None, None, -1.5)
    assert (ended.ended_at is not None, late.ended_at, late.clock_skew_seconds) == (True, ended.ended_at, None)
    # To compare settings it has nothing to say.
    with db.statement() as connection:
        assert differences(connection, {"PULSE_LEASE": "31.0"}) == []


def test_nobody_says_anything_under_the_id_of_another_kind(reporting: Reporter) -> None:
    reporting.report()
    ((worker_id,),) = rows("SELECT id FROM processes")
    before = rows("SELECT * FROM processes")
    for has_ended in (False, True):
        note_sign(ProcessKind.FLOWER, a_sign(worker_id, has_ended=has_ended))

    assert rows("SELECT * FROM processes") == before


def test_whoever_begins_anew_all_the_time_leaves_no_more_rows_than_are_kept(
    reporting: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs, "MOST_OF_A_KIND", 2)
    reporting.report()
    for number in range(4):
        note_sign(ProcessKind.GAPI, a_sign(f"{number:032}"))

    kept = [int(process_id) for (process_id,) in rows("SELECT id FROM processes WHERE kind = 'gapi' ORDER BY id")]
    assert kept == [2, 3]
    assert len(rows("SELECT FROM processes")) == 3


def test_the_last_run_of_each_sweep_is_kept_with_what_it_found(reporting: Reporter, runs: SweepJournal) -> None:
    at = utcnow()
    runs.note_success("pulse.one", at, at + timedelta(seconds=2), 3)
    runs.note_success("pulse.one", at + timedelta(seconds=3), at + timedelta(seconds=3.5), 4)
    reporting.report()

    ((sweep, seconds, found, started_at),) = rows("SELECT sweep, seconds, found, started_at FROM sweep_runs")
    assert (sweep, seconds, found, started_at) == ("pulse.one", 0.5, 4, at + timedelta(seconds=3))


def test_a_sweep_that_fails_says_why_and_since_when_until_it_succeeds(reporting: Reporter, runs: SweepJournal) -> None:
    at, told = utcnow(), "SELECT error_code, error_message, failing_since, found FROM sweep_runs"
    runs.note_failure("pulse.one", at, at, BookUnavailable("TokenException", "the token is dead"))
    reporting.report()
    later = at + timedelta(seconds=5)
    # Another process fails too: the sweep has been failing since the first of them did.
    other = SweepJournal()
    other.note_failure("pulse.one", later, later, ValueError("password=hunter2"))
    Reporter(identity(os.getpid(), ProcessKind.WORKER), lambda: None, other).report()
    assert rows(told) == [("ValueError", "see the log of the worker", at, None)]

    # What was noted earlier comes too late.
    runs.note_success("pulse.one", at, at, 0)
    reporting.report()
    assert rows(told)[0].error_code == "ValueError"

    runs.note_success("pulse.one", later, later, 0)
    reporting.report()
    assert rows(told) == [(None, None, None, 0)]


def test_runs_that_could_not_be_written_are_written_later(
    reporting: Reporter, runs: SweepJournal, postgres: RunningPostgres
) -> None:
    at = utcnow()
    runs.note_success("pulse.one", at, at, 0)
    postgres.stop()
    try:
        reporting.attempt(reporting.report)
    finally:
        postgres.start()
    wait_until(lambda: (reporting.attempt(reporting.report), rows("SELECT sweep FROM sweep_runs"))[1], 10, "the run")

    assert rows("SELECT sweep FROM sweep_runs") == [("pulse.one",)]


def test_settings_that_differ_have_another_digest_and_secrets_have_no_part_in_it(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = digest(config.Settings())
    assert digest(config.Settings()) == now

    monkeypatch.setenv("KITE_ACCESS_TOKEN", "another-token")
    monkeypatch.delenv("PULSE_CURSOR_KEY")
    assert digest(config.Settings()) == now
    monkeypatch.setenv("PULSE_LEASE", "31")
    assert digest(config.Settings()) != now


@pytest.mark.parametrize(("told_ago_ms", "is_known"), [(4000, False), (-4000, True)])
def test_flowers_clock_is_told_only_if_it_is_ahead_as_messages_wait(told_ago_ms: int, is_known: bool) -> None:
    from pulse_tasks.report_process import report_process

    told_at_ms = round(utcnow().timestamp() * 1000) - told_ago_ms
    report_process("f" * 32, "host", 7, "1.0", "digest", told_at_ms)

    ((skew,),) = rows("SELECT clock_skew_seconds FROM processes")
    assert (skew is not None) is is_known
