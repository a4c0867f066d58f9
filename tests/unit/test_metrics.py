"""What is counted, how several processes of one server count, and what the pages say of it."""

import ast
import importlib
import os
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from api_contract import process_group
from api_contract.metrics import DECLARED, Process, exposition
from api_contract.tracing import request_metrics
from api_contract.vocabulary import Side
from pulse_core.brokers.port import AlreadyThere, BookUnavailable, NotSent, OutcomeUnknown, Placement, Refused
from pulse_core.metrics import notes, process, switch
from pulse_core.metrics.broker_calls import CALLS, TURNS_REFUSED, Measured
from pulse_core.metrics.totals import KEPT_SECONDS, Kept, Totals
from tests.support import prometheus
from tests.support.broker import SimulatedBroker, answer_with

ROOT = Path(__file__).parents[2]
SERVICES = ("api_contract", "gapi_app", "pulse_app", "pulse_core", "pulse_tasks")
NOTHING = Totals(None, None, None, None)


def declare_all() -> None:
    """Import whatever declares a metric."""
    for path in sorted(file for package in SERVICES for file in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        if re.search(r"from api_contract.metrics import .*\b(counter|gauge|histogram|family)\b", text):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for service in (Process.GAPI, Process.PULSE):
        request_metrics(service)


def rows(page: str, heading: str) -> list[list[str]]:
    text = (ROOT / "docs" / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return found[2:]


def test_metrics_stand_in_their_page_as_in_the_code() -> None:
    declare_all()
    declared = sorted(DECLARED.values(), key=lambda one: one.name)

    assert rows("metrics.md", "All metrics") == [
        [
            f"`{one.name}`",
            one.type,
            ", ".join(f"`{label}`" for label in one.labels) or "-",
            one.meaning,
            ", ".join(one.served_by),
        ]
        for one in declared
    ]


def test_each_help_text_says_who_serves_it() -> None:
    declare_all()
    for one in DECLARED.values():
        assert one.served_by
        assert one.help.endswith(f"Served by {', '.join(one.served_by)}.")


def test_no_label_is_named_after_something_that_there_are_many_of() -> None:
    declare_all()
    bounded = {"behind", "broker", "call", "cell", "code", "method", "outcome", "queue", "reason", "route", "state"}
    bounded |= {"status", "sweep", "window"}
    assert {label for one in DECLARED.values() for label in one.labels} <= bounded


def test_only_one_module_imports_the_client_before_it_is_known_how_to_count() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for package in SERVICES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom) and "prometheus_client" in ast.unparse(node)
    }
    # A worker is one process, so it is not to be known there.
    assert importers == {"api_contract/metrics.py", "pulse_tasks/metrics_page.py"}


@pytest.fixture
def two_processes(tmp_path: Path) -> dict[str, str]:
    """The variables of a process that counts with others in a folder."""
    return {**os.environ, process_group.VARIABLE: str(tmp_path), "PYTHONPATH": str(ROOT)}


COUNTING = """
from api_contract.metrics import Process, counter, exposition, gauge, histogram
lived = gauge("gapi_lived", "x.", by=[Process.GAPI])
lived.set(1)
done = counter("gapi_done", "x.", "what", by=[Process.GAPI])
took = histogram("gapi_took_seconds", "x.", by=[Process.GAPI], buckets=(1,))
other = counter("pulse_other", "x.", by=[Process.PULSE])
from threading import Thread
threads = [Thread(target=lambda: [done.labels("this").inc() for _ in range(500)]) for _ in range(4)]
[one.start() for one in threads]
[one.join() for one in threads]
took.observe(0.5)
print(exposition(Process.GAPI).decode())
"""


def counted(environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-c", COUNTING], env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_processes_and_threads_count_together_and_the_dead_keep_their_counts(two_processes: dict[str, str]) -> None:
    counted(two_processes)
    second = counted(two_processes)

    assert 'gapi_done_total{what="this"} 4000.0' in second
    assert 'gapi_took_seconds_bucket{le="1.0"} 2.0' in second
    # Of those who live there is one.
    assert "gapi_lived 1.0" in second
    assert "pulse_other" not in second


def test_a_folder_is_removed_once_its_server_is_gone(tmp_path: Path) -> None:
    gone, reused = tmp_path / "999999999-1", tmp_path / f"{os.getpid()}-1"
    gone.mkdir()
    reused.mkdir()

    mine = process_group._folder_of(os.getpid(), tmp_path)

    assert list(tmp_path.iterdir()) == [mine]
    assert process_group._folder_of(os.getpid(), tmp_path) == mine


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_group.tempfile, "tempdir", str(tmp_path))
    shared = tmp_path / f"pulse-metrics-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)

    assert process_group._private_folder() != shared

    shared.chmod(0o700)
    assert process_group._private_folder() == shared


def calls(call: str, outcome: str) -> float:
    notes.add_up()
    return CALLS.labels(call, outcome)._value.get()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "acknowledged"),
        (Refused("A", "b"), "refused"),
        (AlreadyThere("a"), "already_there"),
        (NotSent("A", "b"), "not_sent"),
        (OutcomeUnknown("A", "b"), "unknown"),
        (ZeroDivisionError(), "failed"),
    ],
)
def test_a_placement_is_counted_by_its_outcome(error: Exception | None, outcome: str) -> None:
    simulated = SimulatedBroker(answers=[answer_with(error)] if error else [])
    broker, before = Measured(simulated), calls("place", outcome)

    with pytest.raises(type(error)) if error else nullcontext():
        broker.place(Placement("A" * 20, "NSE:SBIN", "BUY", 1), 0.0)  # type: ignore[arg-type]

    assert calls("place", outcome) == before + 1


def test_a_book_is_counted_whether_it_can_be_read_or_not() -> None:
    simulated = SimulatedBroker()
    broker, before = Measured(simulated), (calls("order_book", "read"), calls("order_book", "unavailable"))

    broker.order_book()
    simulated.is_book_readable = False
    with pytest.raises(BookUnavailable):
        broker.order_book()

    assert (calls("order_book", "read"), calls("order_book", "unavailable")) == (before[0] + 1, before[1] + 1)


def test_looking_up_one_order_is_counted_by_itself() -> None:
    simulated = SimulatedBroker()
    broker, before = Measured(simulated), [calls(call, "read") for call in ("order", "order_trades", "order_book")]
    broker_order_id = broker.place(Placement("A" * 20, "NSE:SBIN", Side.BUY, 1), 0.0)

    broker.order(broker_order_id)
    broker.order_trades(broker_order_id)

    after = [calls(call, "read") for call in ("order", "order_trades", "order_book")]
    assert [one - two for one, two in zip(after, before, strict=True)] == [1, 1, 0]


def test_a_turn_that_is_refused_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated, before = SimulatedBroker(), TURNS_REFUSED._value.get()

    def refuse(_seconds: float) -> None:
        raise NotSent("OWN_RATE_LIMIT", "no room")

    monkeypatch.setattr(simulated, "wait_for_turn", refuse)
    with pytest.raises(NotSent):
        Measured(simulated).wait_for_turn(2)

    assert TURNS_REFUSED._value.get() == before + 1


def test_totals_are_read_once_in_some_seconds_however_often_they_are_asked_for() -> None:
    now, reads = [0.0], []

    def read() -> Totals:
        reads.append(now[0])
        return NOTHING

    kept = Kept(read, clock=lambda: now[0])
    for now[0] in (0.0, 1.0, KEPT_SECONDS - 0.1, KEPT_SECONDS, KEPT_SECONDS + 1):
        assert kept.get() is NOTHING

    assert reads == [0.0, KEPT_SECONDS]


def test_nothing_is_counted_unless_somebody_can_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    from pulse_core.metrics.slices import SLICE_MOVES, SliceStatus, note_slices

    filled = SLICE_MOVES.labels("FILLED")._value
    monkeypatch.setattr(switch._Switch, "is_on", False)
    before = filled.get()
    note_slices(SliceStatus.FILLED)
    notes.add_up()
    assert filled.get() == before
    monkeypatch.setattr(switch._Switch, "is_on", True)
    note_slices(SliceStatus.FILLED, 3)
    notes.add_up()
    assert filled.get() == before + 3


def test_what_is_put_down_is_added_when_somebody_asks_and_when_much_has_gathered() -> None:
    notes.add_up()
    added: list[int] = []
    notes.put_down(added.append, 1)
    assert added == []
    assert list(process.refresh()) == []
    assert added == [1]

    for number in range(2, notes.MOST + 2):
        notes.put_down(added.append, number)
    assert added == list(range(1, notes.MOST + 2))


def test_threads_that_put_down_and_add_up_at_once_lose_nothing() -> None:
    added: list[int] = []

    def put_down() -> None:
        for number in range(notes.MOST * 4):
            notes.put_down(added.append, number)

    threads = [Thread(target=put_down) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    notes.add_up()
    assert sorted(added) == sorted(list(range(notes.MOST * 4)) * 4)


def test_a_process_serves_what_is_its_own() -> None:
    declare_all()
    assert b"pulse_ticks_sent_total" not in exposition(Process.WORKER)
    assert b"pulse_broker_calls_total" not in exposition(Process.BEAT)


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load((prometheus.DEPLOY / "prometheus" / "alerts.yml").read_text())
    return [rule for group in rules["groups"] for rule in group["rules"]]


def test_each_alert_has_an_entry_in_the_runbook_and_a_test() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    entries = re.findall(r"^## (Pulse\w+)$", runbook, re.MULTILINE)
    names = [rule["alert"] for rule in alerts()]
    tests = yaml.safe_load((prometheus.DEPLOY / "prometheus" / "alerts_test.yml").read_text())["tests"]

    assert sorted(entries) == sorted(names)
    assert {one["alertname"] for test in tests for one in test["alert_rule_test"]} == set(names)
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    for entry in runbook.split("\n## Pulse")[1:]:
        assert all(part in entry for part in ("**Means.**", "**Look at.**", "**Do.**", "**Rehearsed")), entry[:40]


def test_rules_and_the_example_configuration_are_sound() -> None:
    assert f"{len(alerts())} rules found" in prometheus.promtool("check", "rules", "alerts.yml")
    prometheus.promtool("check", "config", "prometheus.yml")


def test_each_alert_fires_on_its_trouble() -> None:
    assert "SUCCESS" in prometheus.promtool("test", "rules", "alerts_test.yml")


def test_names_in_queries_are_declared() -> None:
    declare_all()
    for query in prometheus.queries():
        named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b((?:pulse|gapi)_\w+)", query)}
        assert named <= DECLARED.keys(), query
