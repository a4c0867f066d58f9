"""Services against a real Postgres and Redis, with the exchange simulated in this process."""

import pytest

from pulse_core import brokers
from pulse_core.services import broker_book, recovery
from tests.broker import SimulatedBroker


@pytest.fixture
def broker(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    simulated = SimulatedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _settings: simulated)
    monkeypatch.setattr(broker_book, "_last", broker_book.LastReading())
    # A process reads the book before it first sends: here, before a test takes the book away.
    assert recovery.may_send()
    return simulated
