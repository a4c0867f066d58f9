"""What is counted of real work, and what is read of the whole database and the queue."""

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api_contract.metrics import Process
from pulse_core import db, queue
from pulse_core.brokers.port import OutcomeUnknown
from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable
from pulse_core.metrics import fences, notes, switch, totals
from pulse_core.metrics.database import POOL_TIMEOUTS
from pulse_core.metrics.slices import LATENESS, ORDER_MOVES, SLICE_MOVES
from pulse_core.sending_fence import fence_together
from pulse_core.trading import inbox
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.execute import execute_slice
from pulse_tasks import metrics_page
from tests.support import servers
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_split_order, an_account, an_alarm, an_order, slices_of


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch._Switch, "is_on", True)


def looked_up() -> dict[tuple[str, ...], float]:
    """Every sample of what pulse alone serves, by name and labels, read anew."""
    totals._kept._last = None
    return {
        (sample.name, *sample.labels.values()): sample.value for family in totals.look_up() for sample in family.samples
    }


def moves_to(status: str) -> float:
    notes.add_up()
    return SLICE_MOVES.labels(status)._value.get()


def execute(sql: str, **values: object) -> None:
    with db.transaction() as session:
        session.execute(text(sql), values)


def test_what_is_open_is_counted_by_status_and_the_oldest_has_an_age(broker: SimulatedBroker) -> None:
    an_order(utcnow() - timedelta(seconds=50))
    order_id = a_split_order(utcnow() - timedelta(seconds=30))
    broker.answers = [answer_with(OutcomeUnknown("TIMEOUT", "no answer"))]
    execute_slice(slices_of(order_id)[0].id)

    found = looked_up()

    assert (found["pulse_orders", "PENDING"], found["pulse_orders", "IN_PROGRESS"]) == (1, 1)
    assert (found["pulse_slices", "UNKNOWN"], found["pulse_slices", "SCHEDULED"]) == (1, 4)
    assert found["pulse_slices", "WORKING"] == 0
    assert found["pulse_unsplit_oldest_seconds",] >= 50
    assert 0 < found["pulse_unknown_oldest_seconds",] < 30
    # The second slice is not due yet.
    assert found["pulse_overdue_oldest_seconds",] == 0


def test_a_slice_is_overdue_unless_its_order_is_paused(broker: SimulatedBroker) -> None:
    order_id = a_split_order(utcnow() - timedelta(seconds=30))
    assert looked_up()["pulse_overdue_oldest_seconds",] >= 30

    execute("UPDATE orders SET status = 'PAUSED' WHERE id = :id", id=order_id)

    assert looked_up()["pulse_overdue_oldest_seconds",] == 0


def test_a_hold_is_seen_and_how_long_it_lasts(broker: SimulatedBroker) -> None:
    assert looked_up()["pulse_sending_held",] == 0
    execute("UPDATE installation SET held_since = now() - interval '9 s', hold_reason = 'a test'")
    try:
        found = looked_up()
    finally:
        execute("UPDATE installation SET held_since = NULL, hold_reason = NULL")

    assert found["pulse_sending_held",] == 1
    assert found["pulse_sending_held_seconds",] >= 9


def test_a_fence_is_seen_by_its_holder_and_by_the_database(broker: SimulatedBroker) -> None:
    with fence_together(["sl_a", "sl_b"]):
        (age,) = fences.ages()
        assert age >= 0
        assert looked_up()["pulse_fence_silent_seconds",] > 0
    assert fences.ages() == []


def test_an_event_that_no_webhook_was_given_has_an_age(broker: SimulatedBroker) -> None:
    account_id = an_account()
    columns = "id, account_id, url, created_at, verified_at, delivered_sequence, next_attempt_at, failures"
    values = "'whk_a', :account_id, 'https://a.test', now(), now(), 0, now(), 0"
    execute(f"INSERT INTO webhooks ({columns}) VALUES ({values})", account_id=account_id)
    assert looked_up()["pulse_webhook_lag_seconds",] == 0

    an_order(utcnow() - timedelta(seconds=40), account_id)
    execute("UPDATE webhooks SET failures = 1, failing_since = now()")

    found = looked_up()
    assert found["pulse_webhook_lag_seconds",] >= 40
    assert found["pulse_webhooks_failing",] == 1
    execute("UPDATE accounts SET is_active = false")
    assert looked_up()["pulse_webhook_lag_seconds",] == 0


def test_alarms_are_counted_by_code_until_they_are_resolved(broker: SimulatedBroker) -> None:
    first, second, *_ = slices_of(a_split_order())
    taken, done = an_alarm(first, AlarmCode.DAY_OVER), an_alarm(second, AlarmCode.DAY_OVER)
    inbox.acknowledge_alarm(taken, "asha", utcnow())
    assert looked_up()["pulse_alarms", "DAY_OVER"] == 2

    inbox.resolve_alarm(done, "asha", utcnow())

    counted = {labels[0]: value for (name, *labels), value in looked_up().items() if name == "pulse_alarms"}
    # Of every code there is a value: a series that comes from nowhere shows no growth.
    assert counted == dict.fromkeys(AlarmCode, 0) | {AlarmCode.DAY_OVER: 1}


def test_messages_are_counted_under_the_prefix_of_the_settings(
    clean_database: str, environment: dict[str, str]
) -> None:
    # A process reads the settings of the queue once.
    code = (
        "from pulse_core import queue\nfrom pulse_core.queue import Wakeup\nfrom pulse_core.tasks import Task\n"
        "print(queue.depths())\n"
        "queue.send([Wakeup(Task.SPLIT_ORDER, ('a',)), Wakeup(Task.SPLIT_ORDER, ('b',)), "
        "Wakeup(Task.EXECUTE_SLICE, ('c',))])\nprint(queue.depths())"
    )
    prefixed = environment | {"PULSE_QUEUE_PREFIX": "one-of-many:"}
    done = subprocess.run([sys.executable, "-c", code], env=prefixed, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["{'slices': 0, 'control': 0}", "{'slices': 1, 'control': 2}"]


def test_without_a_database_only_that_is_told(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, servers.connected_to("postgresql://nobody@127.0.0.1:9/nothing"):
        patch.setattr(queue, "depths", lambda: None)
        found = looked_up()

    assert found == {("pulse_database_up",): 0, ("pulse_queue_up",): 0}


def test_a_sent_slice_is_counted_with_its_lateness(broker: SimulatedBroker) -> None:
    started = utcnow() - timedelta(seconds=20)
    order_id = a_split_order(started)
    before = moves_to("SENDING"), moves_to("WORKING"), LATENESS.labels("plan")._sum.get()

    execute_slice(slices_of(order_id)[0].id)

    assert (moves_to("SENDING"), moves_to("WORKING")) == (before[0] + 1, before[1] + 1)
    assert 20 <= LATENESS.labels("plan")._sum.get() - before[2] < 120


def test_a_move_counts_once_it_is_committed(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = an_order()
    before = moves_to("SCHEDULED"), ORDER_MOVES.labels("IN_PROGRESS")._value.get()
    with monkeypatch.context() as patch:
        patch.setattr("pulse_core.trading.store.orders.events.add_all", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            split_orders([order_id], utcnow())
    assert moves_to("SCHEDULED") == before[0]

    split_orders([order_id], utcnow())

    assert moves_to("SCHEDULED") == before[0] + 5
    assert ORDER_MOVES.labels("IN_PROGRESS")._value.get() == before[1] + 1


def test_a_pool_without_a_connection_is_counted(broker: SimulatedBroker) -> None:
    before = POOL_TIMEOUTS._value.get()
    with pytest.raises(DatabaseUnavailable), db.availability():
        raise PoolTimeout
    assert POOL_TIMEOUTS._value.get() == before + 1


def test_a_page_whose_port_is_taken_is_served_on_another(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setenv("PULSE_METRICS_PORT", str(taken))
        servers.forget_settings()

        url = metrics_page.serve(Process.BEAT)

    assert url is not None
    assert f":{taken}/" not in url
    assert "pulse_ticks_sent_total" in requests.get(url, timeout=10).text
    monkeypatch.undo()
    servers.forget_settings()


def test_without_a_port_nothing_is_served_or_counted(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch._Switch, "is_on", False)
    assert metrics_page.serve(Process.WORKER) is None
    assert not switch.is_on()


@pytest.mark.parametrize(
    ("since", "end"),
    [
        (datetime(2026, 3, 2, 3, 0, tzinfo=UTC), datetime(2026, 3, 3, 0, 30, tzinfo=UTC)),
        (datetime(2026, 3, 2, 0, 29, tzinfo=UTC), datetime(2026, 3, 2, 0, 30, tzinfo=UTC)),
        (datetime(2026, 3, 2, 0, 30, tzinfo=UTC), datetime(2026, 3, 3, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_token_of_zerodha_ends_at_six_in_the_morning_in_india(since: datetime, end: datetime) -> None:
    def of(name: str) -> ZerodhaBroker:
        return ZerodhaBroker(name=name, root="http://127.0.0.1:9", api_key="a", access_token="b")

    assert of("zerodha").token_ends_at(since) == end
    assert of("paper").token_ends_at(since) is None
