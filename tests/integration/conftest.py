"""Services against a real Postgres and Redis, with the exchange simulated in this process."""

from collections.abc import Iterator

import pytest

from pulse_core import brokers, config, queue
from pulse_core.trading.recovery import sending_hold
from tests.support.books import forget_books, read_again_at_once
from tests.support.broker import SimulatedBroker


@pytest.fixture
def broker(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    simulated = SimulatedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _account: simulated)
    forget_books(monkeypatch)
    read_again_at_once(monkeypatch)
    # A process reads the book before it first sends: here, before a test takes the book away.
    assert sending_hold.may_send(simulated)
    return simulated


@pytest.fixture(autouse=True)
def settings_left_as_they_were(environment: dict[str, str]) -> Iterator[None]:
    """Whoever changes a setting has it forgotten: the next test would run with it."""
    before = config.settings()
    yield
    assert config.settings() == before


@pytest.fixture(autouse=True)
def queue_left_as_it_was() -> Iterator[None]:
    """Whoever takes the queue away gives it back: the next test would send its messages to nobody."""
    sends = queue.send, queue.send_soon, queue.wake, queue.app
    yield
    assert (queue.send, queue.send_soon, queue.wake, queue.app) == sends
