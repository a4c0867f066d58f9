"""No fence outlives its block, whatever ends it, and none is held by two processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, text

from pulse_core import db
from pulse_core.errors import DatabaseUnavailable
from pulse_core.postgres import advisory
from pulse_core.sending_fence import fence_together
from tests.support.factories import an_account, an_order, order
from tests.support.processes import in_a_child, wait_until

FENCES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
CANCEL_FENCES = "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
LONG_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended(one, 0)), pg_sleep(30) FROM unnest(:fenced) AS one")
Fenced = Callable[[], AbstractContextManager[object]]
FENCED: list[Fenced] = [partial(db.fence, "sl_1"), partial(fence_together, ["sl_1"])]

pytestmark = pytest.mark.usefixtures("clean_database")


def fences() -> int:
    with db.transaction() as session:
        return session.scalar(text(FENCES)) or 0


def cancel_fences() -> None:
    with db.transaction() as session:
        session.execute(text(CANCEL_FENCES))


@contextmanager
def failing_after(part: str) -> Iterator[None]:
    """Statements with this part are run by Postgres, and then something goes wrong on our side."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_more: object) -> None:
        if part in statement:
            raise ArithmeticError

    event.listen(db.engine(), "after_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(db.engine(), "after_cursor_execute", fail)


@pytest.mark.parametrize("fenced", FENCED)
def test_a_lock_statement_cancelled_after_it_took_the_lock_leaves_no_fence(
    monkeypatch: pytest.MonkeyPatch, fenced: Fenced
) -> None:
    def take() -> None:
        with fenced():
            pytest.fail("the statement was cancelled")

    monkeypatch.setattr(advisory, "_LOCK", LONG_LOCK)
    with ThreadPoolExecutor(1) as worker:
        taking = worker.submit(take)
        wait_until(lambda: fences() == 1, 4, "a taken lock")
        cancel_fences()
        assert isinstance(taking.exception(timeout=10), DatabaseUnavailable)

    wait_until(lambda: fences() == 0, 4, "no fence")


@pytest.mark.parametrize("fenced", FENCED)
@pytest.mark.parametrize("statement", ["pg_try_advisory_lock", "pg_advisory_unlock"])
def test_a_fence_whose_statement_failed_on_our_side_does_not_return_to_the_pool(statement: str, fenced: Fenced) -> None:
    with suppress(ArithmeticError), failing_after(statement), fenced():
        pass

    wait_until(lambda: fences() == 0, 4, "no fence")
    with db.fence("sl_1") as again:
        assert again is not None


def test_a_session_that_did_not_hold_its_fence_to_the_end_is_given_up_and_looked_at_anew() -> None:
    with fence_together(["sl_1"]) as fence, fence.statement() as connection:
        session = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("SELECT pg_advisory_unlock_all()"))

    assert db.engine() not in db._proven
    with fence_together(["sl_1"]) as again, again.statement() as connection:
        assert again.slice_ids == ("sl_1",)
        assert connection.scalar(text("SELECT pg_backend_pid()")) != session


def test_a_forked_child_has_no_fence_and_leaves_its_parents_alone() -> None:
    with fence_together(["sl_1"]) as fence:

        def use() -> str:
            with suppress(DatabaseUnavailable):
                fence.check_stands()
                return "the fence stands in the child"
            with suppress(DatabaseUnavailable), fence.statement() as connection:
                connection.execute(text("SELECT 1"))
                return "the child used the fence"
            with fence_together(["sl_1"]) as second:
                return "the child took the fence" if second.slice_ids else "refused"

        assert in_a_child(use) == "refused"
        with fence.statement() as connection:
            assert connection.scalar(text(FENCES)) == 1


def test_a_child_that_leaves_its_parents_fence_and_transaction_behind_ends_neither() -> None:
    order_id = an_order(account_id=an_account())
    leave = [fence_together(["sl_1"]), db.transaction()]
    _fence, session = (block.__enter__() for block in leave)
    session.execute(text("UPDATE orders SET client_note = 'kept'"))

    def unwind() -> str:
        for block in reversed(leave):
            block.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        return "left"

    assert in_a_child(unwind) == "left"
    assert fences() == 1
    for block in reversed(leave):
        block.__exit__(None, None, None)
    assert order(order_id).client_note == "kept"
    assert fences() == 0


def test_a_child_does_not_keep_the_fence_of_a_killed_parent() -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        with fence_together(["sl_1"]):
            child = os.fork()
            if child:
                os.write(writer, str(child).encode())
            signal.pause()
    child = int(os.read(reader, 20))
    try:
        assert fences() == 1
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
        wait_until(lambda: fences() == 0, 5, "no fence")
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("pool", ["prefork", "processes"])
def test_a_worker_whose_pool_forks_ends_with_a_sentence(environment: dict[str, str], pool: str) -> None:
    command = [sys.executable, "-m", "celery", "-A", "pulse_tasks", "worker", f"--pool={pool}", "--concurrency=1"]

    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 1
    assert "start it with --pool=threads or --pool=solo" in ended.stderr
    assert "Traceback" not in ended.stderr
