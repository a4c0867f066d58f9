"""Both services as processes, cases from their specifications, and a tally of what was answered."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest import Item, TestReport  # noqa: PT013  types

from tests.contract.client import Service
from tests.rigs.fuzz.sender import Sender
from tests.support.exchange import start_exchange
from tests.support.processes import Processes

GAPI = {
    "PULSE_TRUSTED_PROXIES": "1",
    "PULSE_STREAMS": "500",
    "PULSE_STREAM_HEARTBEAT": "0.2",
    # A busy machine is no defect.
    "PULSE_ANSWER_TIMEOUT": "30",
}
# The credentials of an installation that nobody has given any; somebody who logs in comes back to no page.
AS_IT_IS_BY_DEFAULT = (
    *("--api-key", "paper", "--api-secret", "paper", "--access-token", "paper"),
    *("--redirect-url", "http://127.0.0.1:5010/"),
)


@pytest.fixture(scope="session")
def senders(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sender]]:
    processes = Processes(tmp_path_factory.mktemp("services"), environment)
    port = str(urlsplit(environment["PULSE_PAPER_EXCHANGE_URL"]).port)
    exchange = start_exchange(tmp_path_factory.mktemp("exchange"), more=["--port", port, *AS_IT_IS_BY_DEFAULT])
    try:
        pulse, pulse_url = processes.pulse()
        gapi, gapi_url = processes.gapi(PULSE_URL=pulse_url, **GAPI)
        with exchange:
            yield {
                "gapi": Sender(Service("gapi", gapi_url, environment["PULSE_JWT_KEY"], gapi.log_path)),
                "pulse": Sender(Service("pulse", pulse_url, environment["PULSE_SERVICE_PRIVATE_KEY"], pulse.log_path)),
            }
    finally:
        processes.close()


_tally: Counter[tuple[str, int]] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.when == "call" and "senders" in getattr(item, "funcargs", {}):
        answered = Counter(one for sender in item.funcargs["senders"].values() for one in sender.take_answered())
        item.user_properties.append(("answered", [(*one, count) for one, count in answered.items()]))
    report: TestReport = yield
    answered = answered_in(report)
    if call.when == "call" and report.passed and not any(status < 300 for _, status, _ in answered):
        report.outcome, report.longrepr = "failed", f"no case went through: {answered}"
    return report


def pytest_runtest_logreport(report: TestReport) -> None:
    if report.when == "call":
        _tally.update({(operation, status): count for operation, status, count in answered_in(report)})


def answered_in(report: TestReport) -> list[tuple[str, int, int]]:
    """Operation, status and how often it was answered."""
    return dict(report.user_properties).get("answered", [])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    by_operation: dict[str, Counter[int]] = {}
    for (operation, status), count in _tally.items():
        by_operation.setdefault(operation, Counter())[status] += count
    for operation, statuses in sorted(by_operation.items()):
        shown = "  ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
        terminalreporter.write_line(f"{operation:60} {shown}")
    through = sum(count for (_, status), count in _tally.items() if status < 300)
    terminalreporter.write_line(f"{_tally.total()} cases answered, {through} with success")
