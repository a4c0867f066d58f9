"""Log lines: JSON for machines, with the ids that tie one order's lines together."""

import json
import subprocess
import sys
from typing import Any

from api_contract.log import bound_trace, current_trace

TRACE = {"request_id": "r-1", "trace_id": "t-1", "traceparent": "00-a-b-01"}


def lines_of(body: str, log_format: str = "json") -> list[str]:
    """What a process that sets up its log and then runs `body` writes."""
    program = f"from api_contract import log\nlog.setup_logging('worker', {log_format!r}, 'INFO')\n{body}"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert run.stdout == ""
    return run.stderr.splitlines()


def json_lines_of(body: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines_of(body)]


def test_a_line_says_who_what_when_and_for_which_request() -> None:
    (line,) = json_lines_of(
        "with log.bound_trace({'request_id': 'r-1'}):\n"
        "    log.get_logger('pulse.execute').info('slice placed', slice_id='sl_1', quantity=20)"
    )

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "slice placed",
        "level": "info",
        "logger": "pulse.execute",
        "service": "worker",
        "request_id": "r-1",
        "slice_id": "sl_1",
        "quantity": 20,
    }


def test_lines_of_libraries_look_the_same_and_keep_to_one_line_with_their_exception() -> None:
    body = """
import logging
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger('celery').exception('broke\\nin two')
logging.getLogger('celery').debug('not shown')
logging.getLogger('urllib3').info('chatter')
"""
    (line,) = json_lines_of(body)

    assert (line["event"], line["logger"], line["service"]) == ("broke\nin two", "celery", "worker")
    assert "ZeroDivisionError" in line["exception"]


def test_a_person_gets_text() -> None:
    (line,) = lines_of("log.get_logger('pulse').info('order split', slices=5)", "console")

    assert "order split" in line
    assert not line.startswith("{")


def test_the_trace_is_bound_inside_only_and_can_be_handed_on() -> None:
    with bound_trace(TRACE):
        assert current_trace() == TRACE
        with bound_trace({"request_id": "r-2"}):
            assert current_trace() == {**TRACE, "request_id": "r-2"}
        assert current_trace() == TRACE

    assert current_trace() == {}


def test_what_is_no_part_of_a_trace_is_not_handed_on() -> None:
    with bound_trace({"request_id": "r-1", "order_id": "ord_1"}):
        assert current_trace() == {"request_id": "r-1"}
