"""Webhooks that take events, and deliveries within the test's own thread, at an instant that the test names."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text

from pulse_core import config, db
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.events.deliverer import IN_BACKGROUND, Deliverer
from pulse_core.events.webhooks import NewSecret
from tests.support.processes import wait_until
from tests.support.receiver import Receiver


def deliver_due(now: datetime) -> int:
    """Post what is due at this instant; returns how many posts were accepted."""
    return Deliverer(lambda: now).run()


def an_active_webhook(account_id: str, receiver: Receiver, now: datetime | None = None, **terms: Any) -> NewSecret:
    """A webhook whose receiver has accepted the test event, which is forgotten."""
    now = now or utcnow()
    made = webhooks.add_webhook(account_id, receiver.url, now, **terms)
    assert deliver_due(now) == 1
    receiver.deliveries.clear()
    return made


@contextmanager
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Receivers of tests are on this machine. What a sweep began beside itself ends before the next test begins."""
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_HTTP", "true")
    monkeypatch.setenv("PULSE_WEBHOOK_ALLOW_PRIVATE", "true")
    config.settings.cache_clear()
    yield
    wait_until(lambda: all(thread.name != IN_BACKGROUND for thread in threading.enumerate()))
    monkeypatch.undo()
    config.settings.cache_clear()


def execute(sql: str, **values: object) -> Sequence[Any]:
    """Run a statement of the test's own; its rows, if it has any."""
    with db.transaction() as session:
        done = session.execute(text(sql), values)
        return done.all() if done.returns_rows else ()
