"""No task is woken for what is not committed: a wake-up waits for the commit, and is dropped by a rollback."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import psycopg2
import pytest
import redis
from sqlalchemy.orm import Session

from api_contract.errors import InvalidState
from api_contract.scopes import Role
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable, UncommittedWakeup
from pulse_core.identity.store import accounts
from pulse_core.owner import OneAccount
from pulse_core.queue import Wakeup
from pulse_core.tasks import Task
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.slice import operations
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_split_order, order, slices_of
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("clean_database")

LONG_ENOUGH_TO_SEND = 0.3


@pytest.fixture
def account_id() -> str:
    return f"acc_{secrets.token_hex(13)}"


def add_account(session: Session, account_id: str) -> None:
    accounts.add(session, account_id, account_id, "no hash", Role.TRADER, utcnow())


def add_account_and(act: Callable[[Session], None], account_id: str) -> None:
    with db.transaction() as session:
        add_account(session, account_id)
        act(session)


def sees(database_url: str, account_id: str) -> bool:
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM accounts WHERE id = %s", (account_id,))
            return cursor.fetchone() is not None
    finally:
        connection.close()


def take_message(redis_url: str, then: Callable[[], bool]) -> bool:
    """What `then` finds at the moment when a worker would get the message."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.blpop(["control"], timeout=10)
    return then()


def messages(redis_url: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.llen("control"))  # type: ignore[arg-type]


def test_whoever_gets_the_message_finds_the_row(clean_database: str, redis_url: str, account_id: str) -> None:
    with ThreadPoolExecutor(1) as worker:
        found = worker.submit(take_message, redis_url, partial(sees, clean_database, account_id))
        with db.transaction() as session:
            add_account(session, account_id)
            queue.wake_after_commit(session, Task.CANCEL_SLICES)
            time.sleep(LONG_ENOUGH_TO_SEND)
            assert not found.done()

        assert found.result()


def test_a_rollback_takes_the_wakeup_with_it(clean_database: str, redis_url: str, account_id: str) -> None:
    def fail(session: Session) -> None:
        queue.wake_after_commit(session, Task.CANCEL_SLICES)
        raise KeyError

    with pytest.raises(KeyError):
        add_account_and(fail, account_id)

    time.sleep(LONG_ENOUGH_TO_SEND)
    assert (messages(redis_url), sees(clean_database, account_id)) == (0, False)


def test_a_commit_that_fails_sends_nothing(redis_url: str, account_id: str) -> None:
    def cut(session: Session) -> None:
        queue.wake_after_commit(session, Task.CANCEL_SLICES)
        session.connection().connection.driver_connection.close()  # type: ignore[union-attr]

    with pytest.raises(DatabaseUnavailable):
        add_account_and(cut, account_id)

    time.sleep(LONG_ENOUGH_TO_SEND)
    assert messages(redis_url) == 0


def test_a_transaction_on_a_fence_sends_its_wakeups_too(redis_url: str, account_id: str) -> None:
    with db.fence("sl_1") as fence:
        assert fence is not None
        with fence.transaction() as session:
            add_account(session, account_id)
            queue.wake_after_commit(session, Task.CANCEL_SLICES)

    wait_until(lambda: messages(redis_url) == 1, 10, "the message")


@pytest.mark.parametrize(
    "wake", [partial(queue.wake, Task.CANCEL_SLICES), partial(queue.send, [Wakeup(Task.CANCEL_SLICES)])]
)
def test_waking_inside_a_transaction_is_refused_and_undoes_it(
    clean_database: str, redis_url: str, account_id: str, wake: Callable[[], None]
) -> None:
    with pytest.raises(UncommittedWakeup):
        add_account_and(lambda _session: wake(), account_id)

    time.sleep(LONG_ENOUGH_TO_SEND)
    assert (messages(redis_url), sees(clean_database, account_id)) == (0, False)


def test_waking_inside_the_outer_of_two_transactions_is_refused() -> None:
    with db.transaction():
        with db.transaction():
            pass
        with pytest.raises(UncommittedWakeup):
            queue.wake(Task.CANCEL_SLICES)


def test_waking_is_free_after_a_transaction_that_failed(redis_url: str) -> None:
    with pytest.raises(KeyError), db.transaction():
        raise KeyError
    queue.wake(Task.CANCEL_SLICES)

    wait_until(lambda: messages(redis_url) == 1, 10, "the message")


def test_another_thread_may_wake_meanwhile(redis_url: str) -> None:
    with db.transaction(), ThreadPoolExecutor(1) as other:
        other.submit(queue.wake, Task.CANCEL_SLICES).result()

    wait_until(lambda: messages(redis_url) == 1, 10, "the message")


def test_a_statement_that_commits_by_itself_is_no_transaction(redis_url: str) -> None:
    with db.statement():
        queue.wake(Task.CANCEL_SLICES)

    wait_until(lambda: messages(redis_url) == 1, 10, "the message")


def test_resuming_an_order_has_its_slices_dispatched(redis_url: str) -> None:
    order_id = a_split_order(utcnow() - timedelta(minutes=1))
    owner = OneAccount(order(order_id).account_id)
    pause_order(owner, order_id, "ann", utcnow())
    time.sleep(LONG_ENOUGH_TO_SEND)
    before = messages(redis_url)

    resume_order(owner, order_id, "ann", utcnow())

    wait_until(lambda: messages(redis_url) == before + 1, 10, "the message")


def test_a_resolve_that_is_refused_wakes_nobody(broker: SimulatedBroker, redis_url: str) -> None:
    first = slices_of(a_split_order())[0]
    time.sleep(LONG_ENOUGH_TO_SEND)
    before = messages(redis_url)

    with pytest.raises(InvalidState):
        operations.request_resolve(first.id, "ann", utcnow())

    time.sleep(LONG_ENOUGH_TO_SEND)
    assert messages(redis_url) == before
