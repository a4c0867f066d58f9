"""While the queue or the database is away each process says so on one line a minute, and ends in time all the same."""

import json
import logging
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from kombu.exceptions import OperationalError

from api_contract.troubles import EVERY_SECONDS, Troubles, troubles
from pulse_ops.stack.child import Child
from pulse_tasks import outages
from tests.support.processes import Processes, wait_until
from tests.support.servers import running_postgres, running_redis
from tests.support.standby import query

ENOUGH = 60
REPORTED = "SELECT count(DISTINCT kind) FROM processes"


class Refuses:
    """Stands where a server stood, hangs up on everybody and counts them."""

    def __init__(self, port: int) -> None:
        self.met = 0
        self._socket = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.met += 1

    def close(self) -> None:
        self._socket.close()


def lines_of(child: Child) -> list[dict[str, Any]]:
    """What a process wrote of troubles; a stack of calls would be no line of JSON."""
    found = [json.loads(line) for line in child.log_path.read_text().splitlines() if line.startswith("{")]
    return [line for line in found if line["level"] != "info"]


@pytest.mark.parametrize("server", ["queue", "database"])
def test_a_server_that_is_away_is_worth_one_line_of_each_process(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with running_postgres(tmp_path) as postgres, running_redis(tmp_path) as redis:
        its_own = {"DATABASE_URL": postgres.migrated(), "PULSE_QUEUE_URL": redis.url}
        processes = Processes(tmp_path, {**environment, **its_own})
        try:
            # Nothing but the one server is away.
            processes.exchange(port=urlsplit(environment["PULSE_PAPER_EXCHANGE_URL"]).port or 0)
            children = [processes.worker_control(), processes.worker_slices(), processes.beat()]
            away, port = {"queue": (redis, redis.server.port), "database": (postgres, postgres.server.port)}[server]
            wait_until(lambda: query(postgres.url(), REPORTED) == [3], 60, "a report of each")
            before = [len(lines_of(child)) for child in children]
            away.stop()
            refuses = Refuses(port)
            wait_until(lambda: refuses.met > ENOUGH, 60, "many a try to reach it")
            for child, known in zip(children, before, strict=True):
                told = lines_of(child)[known:]
                assert "Traceback" not in json.dumps(told)
                assert len(told) <= 1, told
            for child in children:
                child.ask_to_stop()
            for child in children:
                assert child.wait(30), child.log_tail(20)
            refuses.close()
        finally:
            processes.close()


def test_a_trouble_is_said_again_after_a_minute_with_how_often_it_was_met() -> None:
    now = 0.0
    said = Troubles(lambda: now)
    assert [said.meet("away"), said.meet("away"), said.meet("another"), said.meet("away")] == [0, None, 0, None]
    now = EVERY_SECONDS
    assert [said.meet("away"), said.meet("away")] == [2, None]


def test_troubles_of_many_names_take_no_more_room() -> None:
    said = Troubles(lambda: 0.0)
    for _ in range(1000):
        said.meet(secrets.token_hex(8))
    assert len(said._said) <= 200


@pytest.fixture
def handler() -> Iterator[logging.Handler]:
    troubles.forget()
    quiet = logging.Handler()
    outages.quiet(quiet)
    yield quiet
    troubles.forget()


def test_what_celery_says_of_something_else_is_left_as_it_is(handler: logging.Handler) -> None:
    other = logging.LogRecord("celery.worker", logging.ERROR, "", 0, "out of %s", ("memory",), None)
    ours = logging.LogRecord("pulse_core.queue", logging.ERROR, "", 0, "lost: %s", (OperationalError("away"),), None)
    assert [handler.filter(one) and one.getMessage() for one in (other, ours)] == ["out of memory", "lost: away"]


def test_celerys_line_about_the_queue_has_no_stack(handler: logging.Handler) -> None:
    error = OperationalError("refused")
    told = [
        logging.LogRecord("celery.worker.consumer", logging.ERROR, "", 0, "lost", (), (type(error), error, None)),
        logging.LogRecord("celery.worker.consumer", logging.ERROR, "", 0, "cannot %s", (error,), None),
    ]
    assert [bool(handler.filter(one)) for one in told] == [True, False]
    assert (told[0].getMessage(), told[0].exc_info) == ("the queue is away: refused", None)
