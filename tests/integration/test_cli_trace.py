"""`pulse trace`: one order's moments from the database and from logs, and nothing of other orders."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from api_contract.log import bound_trace
from pulse_core.clock import utcnow
from pulse_core.trading.order.history import OrderHistory, order_history
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.track import track_slices
from pulse_ops.cli import main
from tests.support.broker import SimulatedBroker, accept
from tests.support.factories import a_split_order, slices_of

TRACE = {
    "request_id": "r-1",
    "trace_id": "t-1",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


@pytest.fixture
def history(broker: SimulatedBroker) -> OrderHistory:
    """An order of a traced request whose first slice was placed and filled."""
    with bound_trace(TRACE):
        order_id = a_split_order(num_splits=2)
    broker.answers = [accept]
    first = slices_of(order_id)[0]
    execute_slice(first.id)
    broker.fill(next(iter(broker.book)), first.quantity)
    track_slices(utcnow())
    return order_history(order_id)


def line(history: OrderHistory, event: str, seconds: float, **fields: Any) -> str:
    at = (history.created_at + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": event, "timestamp": at, "service": "gapi", "level": "info", **fields})


@pytest.fixture
def trace(history: OrderHistory, tmp_path: Path) -> Callable[..., Result]:
    def run(*arguments: str, lines: list[str]) -> Result:
        log = tmp_path / "logs" / "gapi.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("\n".join(lines) + "\n")
        return CliRunner().invoke(main, ["trace", history.order_id, "--logs", str(log.parent), *arguments])

    return run


def moments(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["moments"]
    return found


def test_events_and_log_lines_stand_on_one_line_of_time(history: OrderHistory, trace: Callable[..., Result]) -> None:
    lines = [
        line(history, "request answered", 0.05, request_id="r-1", method="POST", status=202),
        f"gapi-1  | {line(history, 'behind the name of a container', 3600, order_id=history.order_id)}",
        line(history, "before", -60, order_id=history.order_id),
    ]
    told = moments(trace("--json", lines=lines))

    whats = [(one["source"], one["what"]) for one in told]
    assert whats[0] == ("gapi", "before")
    assert whats[-1] == ("gapi", "behind the name of a container")
    assert ("gapi", "request answered") in whats
    recorded = [(one["what"], one["slice_number"]) for one in told if one["source"] == "database"]
    assert recorded == [
        ("order PENDING", None),
        ("order PENDING -> IN_PROGRESS", None),
        ("SCHEDULED -> SENDING", 1),
        ("broker_call", 1),
        ("SENDING -> WORKING", 1),
        ("fill", 1),
        ("WORKING -> FILLED", 1),
    ]
    assert sorted(one["at"] for one in told) == [one["at"] for one in told]


def test_lines_of_others_broken_ones_and_what_the_database_tells_better_are_left_out(
    history: OrderHistory, trace: Callable[..., Result]
) -> None:
    [first, *_others] = history.sequence_numbers
    lines = [
        line(history, "of another order", 1, order_id="ord_01J00000000000000000000000", request_id="r-1"),
        line(history, "of another slice", 1, slice_id="sl_01J00000000000000000000000", request_id="r-1"),
        line(history, "of another request", 1, request_id="r-2", said="r-1"),
        line(history, "slice moved", 1, slice_id=first),
        '{"event": "cut", "request_id": "r-1", "times',
        '["r-1"]',
        json.dumps({"event": "timeless", "request_id": "r-1"}),
        "r-1 in no JSON at all",
        line(history, "of its slice", 1, slice_id=first, outcome="ACKNOWLEDGED"),
    ]
    told = [one for one in moments(trace("--json", lines=lines)) if one["source"] != "database"]

    assert [(one["what"], one["slice_number"], one["detail"]) for one in told] == [
        ("of its slice", 1, {"outcome": "ACKNOWLEDGED"})
    ]


def test_a_person_is_shown_the_ids_and_a_table(history: OrderHistory, trace: Callable[..., Result]) -> None:
    shown = trace(lines=[line(history, "request answered", 0.05, request_id="r-1")]).stdout

    assert "request_id  r-1" in shown
    assert "1/2" in shown
    assert "broker_call" in shown


def test_without_logs_the_database_alone_tells_and_an_unknown_order_is_a_sentence(
    history: OrderHistory, tmp_path: Path
) -> None:
    alone = CliRunner().invoke(main, ["trace", history.order_id, "--data-dir", str(tmp_path)])
    assert alone.exit_code == 0
    assert "There are no logs here" in alone.stderr
    assert "WORKING -> FILLED" in alone.stdout

    unknown = CliRunner().invoke(main, ["trace", "ord_none", "--data-dir", str(tmp_path)])
    assert (unknown.exit_code, unknown.stderr) == (4, "pulse: there is no order ord_none\n")
