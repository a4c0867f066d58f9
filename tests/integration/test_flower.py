"""Flower beside a worker: every task with its end, rows that say what they are, filters, and who is let in."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from sqlalchemy import update
from tornado.routing import URLSpec

from api_contract.vocabulary import SliceStatus
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.queue import Wakeup
from pulse_core.sweeps import SWEEPS
from pulse_core.tasks import Task
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.tables import OrderSlice
from pulse_ops.stack import probes
from pulse_ops.stack import processes as commands
from pulse_ops.stack.ports import free_port
from pulse_ops.stack.processes import Listen
from pulse_tasks.dashboard import SECONDS_TO_END
from tests.support import servers
from tests.support.factories import a_split_order, slices_of
from tests.support.flower import Listener, listening
from tests.support.processes import LOOPBACK, Processes, wait_until

# Longer than a lost message takes to come again.
pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]
PASSWORD = ("operator", "secret")
# Many more than threads, all at once.
TASKS = int(os.environ.get("PULSE_TEST_TASKS", "2000"))
# A message that a worker took and lost with its connection comes again after the 90 s of celeryconfig.
PATIENCE = 150 + TASKS // 10
REFUSED, UNSENT, DOUBTED, PLACED, LATER = "NSE:SBIN", "NSE:TCS", "NSE:INFY", "NSE:RELIANCE", "NSE:HDFCBANK"
TOGETHER = "NSE:WIPRO"
FAULTS = [
    {"fault": "refuse", "instrument": REFUSED, "error_type": "InputException", "message": "Invalid product."},
    {"fault": "rate_limited", "instrument": UNSENT},
    {"fault": "error_after", "instrument": DOUBTED},
    {"fault": "reject", "instrument": LATER, "message": "Invalid order."},
    {"fault": "refuse", "instrument": TOGETHER, "error_type": "InputException", "message": "Too much.", "count": 1},
]


@dataclass
class Dashboard:
    """Flower's pages, and the slices whose tasks they show."""

    url: str
    listener: Listener
    slices: dict[str, str]
    orders: dict[str, str]
    batch: list[str] = field(default_factory=list)

    def tasks(self, search: str = "") -> Sequence[dict[str, Any]]:
        asked = {"search": search} if search else {}
        answer = requests.get(f"{self.url}/api/tasks", params=asked, auth=PASSWORD, timeout=10)
        assert answer.status_code == 200, answer.text
        return list(answer.json().values())

    def statuses(self, path: str) -> set[int]:
        """What somebody without the password gets who reads the path or posts to it."""
        asked = [requests.request(how, self.url + path, timeout=10, allow_redirects=False) for how in ("GET", "POST")]
        return {answer.status_code for answer in asked}


@pytest.fixture(scope="module")
def dashboard(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """After a run of tasks: slices placed, refused, in doubt and not sent, and many with nothing to do."""
    from pulse_tasks import app

    servers.empty_database(environment["DATABASE_URL"])
    servers.empty_redis(environment["PULSE_QUEUE_URL"])
    processes = Processes(tmp_path_factory.mktemp("flower"), environment)
    try:
        _, exchange = processes.exchange()
        processes.environment = {**environment, "PULSE_PAPER_EXCHANGE_URL": exchange}
        put_faults(exchange, *FAULTS)
        url = flower(processes)
        with listening(app) as listener:
            shown = Dashboard(url, listener, {}, {})
            wait_until(lambda: knows_the_queue(shown), PATIENCE, "Flower to hear events")
            run_tasks(shown, processes)
            track(shown)
            put_faults(exchange, {"fault": "book_down"})
            run_sweeps(shown)
            yield shown
    finally:
        processes.close()


def put_faults(exchange: str, *rules: Mapping[str, object]) -> None:
    requests.put(f"{exchange}/_paper/scenario", json={"rules": rules}, timeout=10).raise_for_status()


def flower(processes: Processes) -> str:
    listen = Listen(LOOPBACK, free_port())
    url = f"http://{LOOPBACK}:{listen.port}"
    password = {"FLOWER_BASIC_AUTH": ":".join(PASSWORD)}
    processes.run("flower", commands.flower(listen), probes.http_ok(f"{url}/healthcheck"), password)
    return url


def knows_the_queue(shown: Dashboard) -> bool:
    from pulse_tasks import app

    with app.events.default_dispatcher() as dispatcher:
        dispatcher.send("task-received", uuid="probe", name="probe", args="probe", kwargs="{}")
        dispatcher.send("task-succeeded", uuid="probe", result="probe", runtime=0)
    return bool(shown.tasks("name:probe"))


def run_tasks(shown: Dashboard, processes: Processes) -> None:
    # Before there is anything else that could be dispatched with it.
    send_batch(shown)
    # On a busy machine, too, the slices are left to their messages.
    processes.worker_slices(PULSE_OVERDUE_AFTER="300")
    for instrument in (REFUSED, UNSENT, DOUBTED, PLACED, LATER):
        order_id = a_split_order(instrument=instrument)
        shown.orders[instrument], shown.slices[instrument] = order_id, slices_of(order_id)[0].id
    wait_until(lambda: len(ended(shown.listener)) == 6, PATIENCE, "the end of the tasks of slices")
    queue.send(Wakeup(Task.EXECUTE_SLICE, (f"sl_{number}",), shown=f"nothing {number}") for number in range(TASKS))
    wait_until(lambda: len(ended(shown.listener)) == TASKS + 6, PATIENCE, "the end of every task")


def send_batch(shown: Dashboard) -> None:
    """An order of three slices, all due at the same instant."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "wake", lambda *_arguments, **_options: None)
        order_id = a_split_order(instrument=TOGETHER, num_splits=3, total_quantity=60)
    now = utcnow()
    shown.orders[TOGETHER], shown.batch = order_id, [one.id for one in slices_of(order_id)]
    with db.transaction() as session:
        together = update(OrderSlice).where(OrderSlice.order_id == order_id)
        session.execute(together.values(due_at=now, hinted_until=None))
    dispatch_due_slices(now)


def track(shown: Dashboard) -> None:
    from pulse_tasks import app

    app.send_task(Task.TRACK_SLICES.value, queue="slices")
    refused = f"kwargs:{shown.slices[LATER]} state:FAILURE"
    wait_until(lambda: shown.tasks(refused), PATIENCE, "a refusal that the book shows")


def run_sweeps(shown: Dashboard) -> None:
    from pulse_tasks import app

    for name in (Task.FINISH_ORDERS, Task.RECONCILE):
        app.send_task(name.value, queue="slices")
    wait_until(lambda: shown.tasks(f"name:{Task.RECONCILE.value} state:FAILURE"), PATIENCE, "a sweep that fails")


def ended(listener: Listener) -> set[str]:
    """The tasks that have; one that came again may end again."""
    ends = ("task-succeeded", "task-failed", "task-retried")
    return {event["uuid"] for event in list(listener.heard) if event["type"] in ends} - {"probe"}


def task_of(shown: Dashboard, instrument: str) -> dict[str, Any]:
    (task,) = shown.tasks(f"kwargs:{shown.slices[instrument]}")
    return task


def test_every_task_has_its_end(dashboard: Dashboard) -> None:
    states = Counter(task.state for task in dashboard.listener.tasks(Task.EXECUTE_SLICE.value))
    shown = Counter(task["state"] for task in dashboard.tasks(f"name:{Task.EXECUTE_SLICE.value}"))

    assert states == shown == {"SUCCESS": TASKS + 2, "FAILURE": 4, "RETRY": 1}


def test_celery_repeats_none_of_them_and_no_message_is_left(dashboard: Dashboard, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        wait_until(lambda: not client.llen("slices") and not client.hlen("unacked"), what="an empty queue")
    assert [slices_of(dashboard.orders[name])[0].attempts for name in (REFUSED, DOUBTED)] == [1, 1]


def test_a_slice_ends_its_task_as_the_broker_answered(dashboard: Dashboard) -> None:
    ends = {name: task_of(dashboard, name) for name in dashboard.slices if name != LATER}

    assert ends[PLACED]["result"].strip("'").startswith("placed as ")
    assert ends[REFUSED]["exception"] == "SliceRejected('InputException: Invalid product.')"
    assert ends[DOUBTED]["exception"].startswith("SliceInDoubt('")
    assert ends[UNSENT]["exception"] == "SliceNotSent('RATE_LIMITED: Too many requests')"
    assert {name: task["state"] for name, task in ends.items()} == {
        PLACED: "SUCCESS",
        REFUSED: "FAILURE",
        DOUBTED: "FAILURE",
        UNSENT: "RETRY",
    }


def test_a_row_says_which_slice_of_which_order_it_is(dashboard: Dashboard) -> None:
    order_id = dashboard.orders[REFUSED]

    assert task_of(dashboard, REFUSED)["args"] == f"BUY 20 {REFUSED} · {order_id} · 1/5"


@pytest.mark.parametrize("instrument", [REFUSED, DOUBTED])
@pytest.mark.parametrize(
    "search", ["{order}", "args:{order}", "{instrument}", "args:{instrument}", '"BUY 20 {instrument}"']
)
def test_tasks_are_found_by_order_and_by_instrument(dashboard: Dashboard, instrument: str, search: str) -> None:
    asked = search.format(order=dashboard.orders[instrument], instrument=instrument)

    assert [task["kwargs"] for task in dashboard.tasks(asked)] == [dashboard.slices[instrument]]


def test_failures_are_found_by_their_state(dashboard: Dashboard) -> None:
    tasks = dashboard.tasks(f"state:FAILURE name:{Task.EXECUTE_SLICE.value}")
    found = {slice_id for task in tasks for slice_id in task["kwargs"].split()}

    assert found == {*dashboard.batch, *(dashboard.slices[name] for name in (REFUSED, DOUBTED, LATER))}


def test_a_batch_is_one_row_that_names_its_slices_and_which_of_them_failed(dashboard: Dashboard) -> None:
    order_id = dashboard.orders[TOGETHER]
    (task,) = dashboard.tasks(order_id)

    (failed,) = [one.id for one in slices_of(order_id) if one.status is SliceStatus.REJECTED]
    assert task["args"] == f"3 slices · BUY 20 {TOGETHER} · {order_id}"
    assert task["exception"] == f"SliceRejected('{failed}: InputException: Too much.')"
    for search in (*(f"kwargs:{one}" for one in dashboard.batch), f"args:{TOGETHER}", f"state:FAILURE {order_id}"):
        assert [found["uuid"] for found in dashboard.tasks(search)] == [task["uuid"]]


def test_a_refusal_that_the_book_shows_later_has_a_row_of_its_own(dashboard: Dashboard) -> None:
    placed, refused = sorted(dashboard.tasks(f"kwargs:{dashboard.slices[LATER]}"), key=itemgetter("received"))

    assert (placed["state"], refused["state"]) == ("SUCCESS", "FAILURE")
    assert refused["exception"] == "SliceRejected('BROKER_REJECTED: Invalid order.')"
    assert placed["args"] == refused["args"] == f"BUY 20 {LATER} · {dashboard.orders[LATER]} · 1/5"
    assert len(slices_of(dashboard.orders[LATER])) == 5
    assert slices_of(dashboard.orders[LATER])[0].attempts == 1


def test_of_sweeps_only_those_that_fail_are_shown_with_their_reason(dashboard: Dashboard) -> None:
    (failed,) = dashboard.tasks(f"name:{Task.RECONCILE.value}")

    assert failed["state"] == "FAILURE"
    assert failed["exception"].startswith("PutOff('")
    assert dashboard.tasks(f"name:{Task.FINISH_ORDERS.value}") == []
    assert {event.get("name") for event in dashboard.listener.heard} & set(SWEEPS) == {Task.RECONCILE.value}


def test_a_setting_brings_the_events_of_sweeps_back(environment: dict[str, str]) -> None:
    ask = (
        "from pulse_tasks import app; app.loader.import_default_modules();"
        f" print(app.tasks['{Task.FINISH_ORDERS.value}'].send_events)"
    )

    def said(**variables: str) -> str:
        variables = {**os.environ, **environment, **variables}
        asked = subprocess.run(
            [sys.executable, "-c", ask], env=variables, capture_output=True, text=True, check=True, timeout=60
        )
        return asked.stdout.strip()

    assert (said(), said(PULSE_SWEEP_EVENTS="true")) == ("False", "True")


def test_refusals_leave_no_stack_trace_in_the_workers_log(dashboard: Dashboard, tmp_path_factory: Any) -> None:
    logs: list[Path] = list(Path(tmp_path_factory.getbasetemp()).glob("flower*/worker-slices-*.log"))

    assert logs
    assert not [line for log in logs for line in log.read_text().splitlines() if "Traceback" in line]


def test_without_the_password_only_the_documented_paths_are_open(dashboard: Dashboard) -> None:
    """Every path that Flower knows, by GET and by POST."""
    answers = {path: dashboard.statuses(path) for path in paths_of_flower()}
    page = ROOT / "docs" / "services" / "pulse-background" / "flower.md"
    named = re.findall(r"^\| `(/\w+/?)` \|", page.read_text(), re.MULTILINE)

    closed = {path for path, found in answers.items() if found <= {401, 405} and 401 in found}
    assert {path.removesuffix("x") for path in answers.keys() - closed} == set(named)
    assert 200 in dashboard.statuses("/static/css/flower.css")


def paths_of_flower() -> set[str]:
    from flower.urls import handlers

    patterns = [one.regex.pattern if isinstance(one, URLSpec) else one[0] for one in handlers]
    filled = {re.sub(r"\(\.[+*]\)", "x", pattern).removesuffix("$").removesuffix("/?") for pattern in patterns}
    return {path for path in filled if path.startswith("/")}


def test_it_ends_when_it_is_told_to_while_redis_is_away(environment: dict[str, str], tmp_path: Path) -> None:
    processes = Processes(tmp_path, {**environment, "PULSE_QUEUE_URL": f"redis://{LOOPBACK}:{free_port()}/0"})
    try:
        flower(processes)
        [child] = processes.children
        # After five seconds it tells the workers to send events, in a thread that does not give up.
        wait_until(lambda: "trying again in 8 seconds" in child.log_tail(50), 60, "Flower to look for Redis")
        child.ask_to_stop()

        assert child.wait(SECONDS_TO_END + 10)
        assert child.exit_code == 0
    finally:
        processes.close()
