"""Task events: none is lost between threads, and sweeps send them when they fail."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from pulse_tasks.request import SAME_AGAIN_AFTER, FailureNews, TimedRequest
from pulse_tasks.task_events import ThreadSafeDispatcher
from tests.support.clock import ManualClock
from tests.support.flower import listening
from tests.support.processes import wait_until
from tests.support.servers import running_redis

pytestmark = pytest.mark.usefixtures("clean_database")

SENDERS, EACH = 16, 250


@pytest.fixture
def app(environment: dict[str, str]) -> Celery:
    """The workers' application."""
    from pulse_tasks import app

    return app


@contextmanager
def dispatcher_of(app: Celery) -> Iterator[ThreadSafeDispatcher]:
    """As a worker makes it."""
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="test@here", buffer_group=["task"])
        assert isinstance(dispatcher, ThreadSafeDispatcher)
        yield dispatcher


def numbers(heard: list[dict[str, Any]]) -> list[int]:
    return [event["number"] for event in heard if event["type"] == "task-number"]


def test_of_four_thousand_events_from_many_threads_four_thousand_are_published(app: Celery) -> None:
    with listening(app) as listener, dispatcher_of(app) as dispatcher, ThreadPoolExecutor(SENDERS + 1) as threads:
        has_ended = Event()

        def flush() -> None:
            while not has_ended.is_set():
                dispatcher.flush()

        def send(sender: int) -> None:
            for number in range(EACH):
                dispatcher.send("task-number", uuid=f"{sender}-{number}", number=sender * EACH + number)

        flushing = threads.submit(flush)
        for sending in [threads.submit(send, sender) for sender in range(SENDERS)]:
            sending.result()
        has_ended.set()
        flushing.result()
        dispatcher.flush()
        wait_until(lambda: len(numbers(listener.heard)) >= SENDERS * EACH, what="the last event")

    assert sorted(numbers(listener.heard)) == list(range(SENDERS * EACH))


def test_a_task_that_outlives_its_connection_is_heard_through_the_next(app: Celery) -> None:
    with listening(app) as listener, dispatcher_of(app) as lost:
        lost.send("task-number", uuid="a", number=1)
        lost.close()
        lost.flush()
        with dispatcher_of(app) as found:
            found.extend_buffer(lost)
            lost.send("task-number", uuid="b", number=2)
            found.flush()
            wait_until(lambda: len(numbers(listener.heard)) == 2, what="both events")

    assert numbers(listener.heard) == [1, 2]


def test_what_cannot_be_published_waits_for_the_next_flush(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(app) as listener, dispatcher_of(app) as dispatcher:
        for number in range(250):
            dispatcher.send("task-number", uuid=str(number), number=number)
        with monkeypatch.context() as patch:
            patch.setattr(dispatcher.producer, "publish", fail_to_publish)
            dispatcher.flush()
            dispatcher.flush()
        dispatcher.flush()
        wait_until(lambda: len(numbers(listener.heard)) >= 250, what="all events")

    assert sorted(numbers(listener.heard)) == list(range(250))


def test_a_heartbeat_does_not_wait_for_a_queue_that_is_away(app: Celery, tmp_path: Path) -> None:
    with running_redis(tmp_path) as redis, app.connection_for_write(redis.url) as connection:
        dispatcher = app.events.Dispatcher(connection, hostname="test@here")
        # As Celery's heart sends both, in the loop that also notices a signal to end.
        dispatcher.send("worker-online", retry=True)
        redis.stop()
        heartbeat = Thread(target=lambda: dispatcher.send("worker-heartbeat", retry=True), daemon=True)
        heartbeat.start()
        heartbeat.join(20)

        assert not heartbeat.is_alive()
        assert [event["type"] for event, *_ in dispatcher._outbound_buffer] == ["worker-heartbeat"]


def fail_to_publish(*_args: Any, **_options: Any) -> None:
    raise ConnectionError


def test_every_sweep_is_silent_unless_a_setting_says_otherwise(app: Celery) -> None:
    from pulse_core.sweeps import SWEEPS

    app.loader.import_default_modules()

    assert {app.tasks[name].send_events for name in SWEEPS} == {False}
    assert app.tasks["pulse.execute_slice"].send_events


def test_a_sweep_that_fails_is_told_with_its_name_and_reason() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    eventer = SimpleNamespace(enabled=True, send=lambda kind, **fields: told.append((kind, fields)))
    request = object.__new__(TimedRequest)
    request._task = SimpleNamespace(send_events=False)
    request._eventer, request.id, request.name = eventer, "u-1", "pulse.test_sweep"
    request._argsrepr, request._kwargsrepr = "()", "{'is_tick': True}"

    request.send_event("task-started")
    request.send_event("task-failed", exception="PutOff('the book is away')", traceback="")

    assert [kind for kind, _ in told] == ["task-received", "task-failed"]
    assert told[0][1]["name"] == "pulse.test_sweep"
    assert told[1][1] == {"uuid": "u-1", "exception": "PutOff('the book is away')", "traceback": ""}


def test_a_failure_that_lasts_is_told_once_a_minute_and_another_at_once() -> None:
    clock = ManualClock()
    news = FailureNews(clock)

    assert news.is_new("sweep", "away")
    assert not news.is_new("sweep", "away")
    assert news.is_new("other", "away")
    assert news.is_new("sweep", "full")
    clock.sleep(SAME_AGAIN_AFTER)
    assert news.is_new("sweep", "full")
