"""Wake-ups: they carry the trace, go in batches, and a queue that is away costs messages only."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.asynchronous.hub import Hub

from api_contract.log import bound_trace, current_trace
from api_contract.spans import trace_of
from pulse_core import queue
from pulse_core.queue import Wakeup
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_ops.stack.ports import free_port
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("clean_database")

TRACE = {
    "request_id": "r-1",
    "trace_id": "t-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.fixture
def tasks(environment: dict[str, str]) -> Celery:
    """The workers' application with every task registered."""
    from pulse_tasks import app

    app.loader.import_default_modules()
    return app


@pytest.fixture
def dead_queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where the queue should be."""
    app = Celery("pulse", set_as_current=False)
    app.config_from_object("celeryconfig")
    app.conf.broker_url = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(queue, "app", lambda: app)
    yield
    app.close()


def messages(queue_name: str, count: int = 1) -> list[Any]:
    """Take messages off a queue as a worker would."""
    with queue.app().connection_for_read() as connection:
        waiting = connection.SimpleQueue(queue_name)
        taken = [waiting.get(timeout=10) for _ in range(count)]
        for message in taken:
            message.ack()
        waiting.close()
    return taken


def waiting(redis_url: str, queue_name: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.llen(queue_name))  # type: ignore[arg-type]


def test_a_wakeup_names_its_task_and_carries_the_trace_of_its_request() -> None:
    eta = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
    with bound_trace({**TRACE, "order_id": "ord_1"}):
        queue.wake(Task.EXECUTE_SLICE, "sl_1", eta=eta)

    (message,) = messages("slices")
    headers = message.headers
    assert (headers["task"], headers["argsrepr"], headers["eta"]) == (
        "pulse.execute_slice",
        "('sl_1',)",
        eta.isoformat(),
    )
    assert {name: headers[name] for name in TRACE} == TRACE
    assert message.payload[:2] == [["sl_1"], {}]


def test_a_wakeup_says_what_flower_shows_in_place_of_its_arguments() -> None:
    queue.wake(Task.EXECUTE_SLICE, "sl_1", shown="BUY 20 NSE:SBIN · ord_1 · 3/20")

    (message,) = messages("slices")
    shown = message.headers["argsrepr"], message.headers["kwargsrepr"]
    assert shown == ("BUY 20 NSE:SBIN · ord_1 · 3/20", "sl_1")
    assert message.payload[:2] == [["sl_1"], {}]


def test_placements_have_a_queue_of_their_own(redis_url: str) -> None:
    queue.send([Wakeup(Task.EXECUTE_SLICE, ("sl_1",)), Wakeup(Task.SPLIT_ORDER, ("ord_1",)), Wakeup(Task.RECONCILE)])

    assert (waiting(redis_url, "slices"), waiting(redis_url, "control")) == (1, 2)


def test_a_batch_sends_all_of_it(redis_url: str) -> None:
    traces = {f"sl_{number}": {"request_id": f"r-{number}"} for number in range(200)}

    queue.send(Wakeup(Task.EXECUTE_SLICE, (name,), trace=tuple(trace.items())) for name, trace in traces.items())

    assert waiting(redis_url, "slices") == 200
    sent = {one.payload[0][0]: {"request_id": one.headers["request_id"]} for one in messages("slices", 200)}
    assert sent == traces


def test_the_trace_of_a_message_is_bound_while_its_task_runs(tasks: Celery) -> None:
    from pulse_tasks.base import PulseTask

    seen: list[dict[str, str]] = []

    class Probe(PulseTask):
        name = "test.probe"
        request = SimpleNamespace(headers={**TRACE, "lang": "py", "eta": None})

        def run(self) -> None:
            seen.append(current_trace())

    Probe()()

    [bound] = seen
    assert {**bound, "traceparent": ""} == {**TRACE, "traceparent": ""}
    assert trace_of(bound["traceparent"]) == trace_of(TRACE["traceparent"])
    assert bound["traceparent"] != TRACE["traceparent"], "the task is a step of its own"
    assert current_trace() == {}


def test_every_wakeup_and_every_sweep_has_its_task(tasks: Celery) -> None:
    named = {value for name, value in vars(queue).items() if name.isupper() and str(value).startswith("pulse.")}

    assert named | set(SWEEPS) <= set(tasks.tasks)


def test_beat_sends_every_sweep_with_nothing_that_a_clock_decides(tasks: Celery) -> None:
    schedule = tasks.conf.beat_schedule

    assert {entry["task"]: entry["schedule"] for entry in schedule.values()} == {
        name: sweep.every for name, sweep in SWEEPS.items()
    }
    assert all(entry.keys() == {"task", "schedule", "kwargs"} for entry in schedule.values())


def test_a_queue_that_is_away_is_an_error_that_callers_know(dead_queue: None) -> None:
    with pytest.raises(queue.UNREACHABLE):
        queue.send([Wakeup(Task.SPLIT_ORDER, ("ord_1",))])

    assert not queue.is_reachable()


def test_a_queue_that_answers_is_reachable() -> None:
    assert queue.is_reachable()


@pytest.mark.parametrize("error", [ConnectionError("away"), RuntimeError("a defect of the client library")])
def test_a_failed_batch_is_lost_and_the_next_goes_out(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    sent: list[str] = []
    failures = [error]

    def send(wakeups: Iterable[Wakeup]) -> None:
        batch = list(wakeups)
        if failures:
            raise failures.pop()
        sent.extend(one.args[0] for one in batch)

    monkeypatch.setattr(queue, "send", send)
    outbox = queue._Outbox()
    outbox.put(Wakeup(Task.SPLIT_ORDER, ("ord_1",)))
    wait_until(lambda: not failures)
    outbox.put(Wakeup(Task.SPLIT_ORDER, ("ord_2",)))

    wait_until(lambda: sent, 10, "the second message")
    assert sent == ["ord_2"]


def test_orders_that_were_accepted_together_are_split_by_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue._Outbox, "_run", lambda _self: None)
    outbox = queue._Outbox()
    for number in range(queue.MOST_TOGETHER + 2):
        outbox.put(Wakeup(Task.SPLIT_ORDER, (f"ord_{number}",), trace=(("request_id", f"r-{number}"),)))
    outbox.put(Wakeup(Task.RESOLVE_SLICES))

    together = list(queue._joined(outbox._take()))

    assert [one.task for one in together] == [Task.RESOLVE_SLICES, Task.SPLIT_ORDER, Task.SPLIT_ORDER]
    assert [len(one.args) for one in together] == [0, queue.MOST_TOGETHER, 2]


def test_a_queue_that_is_away_for_long_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    monkeypatch.setattr(queue._Outbox, "_run", lambda _self: None)
    outbox = queue._Outbox()

    for number in range(10):
        outbox.put(Wakeup(Task.SPLIT_ORDER, (f"ord_{number}",)))

    assert [one.args[0] for one in outbox._take()] == ["ord_0", "ord_1", "ord_2"]


def test_the_hub_of_the_installed_kombu_still_fires_ten_timers_a_turn() -> None:
    # Once this fails, see whether PunctualTimers in pulse_tasks/worker.py is still needed.
    assert signature(Hub.fire_timers).parameters["max_timers"].default == 10


def test_our_worker_lets_the_hub_fire_every_timer_that_is_due() -> None:
    from pulse_tasks.worker import PunctualTimers

    fired: list[int] = []
    hub = Hub()
    for number in range(100):
        hub.timer.call_after(-1, fired.append, (number,))
    worker = SimpleNamespace(hub=hub)
    PunctualTimers.create(object.__new__(PunctualTimers), worker)
    hub.fire_timers()

    assert sorted(fired) == list(range(100))
