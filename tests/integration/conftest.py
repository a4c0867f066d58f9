"""Services against a real Postgres and Redis, with the exchange simulated in this process."""

import pytest

from pulse_core import brokers
from pulse_core.trading.book import look_ups, reading, turns
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import track
from tests.support.broker import SimulatedBroker


@pytest.fixture
def broker(clean_database: str, monkeypatch: pytest.MonkeyPatch) -> SimulatedBroker:
    simulated = SimulatedBroker()
    monkeypatch.setattr(brokers, "connect", lambda _settings: simulated)
    monkeypatch.setattr(reading, "_last", reading.LastReading())
    monkeypatch.setattr(track, "_settled", track.Settled())
    monkeypatch.setattr(look_ups, "looks", look_ups.Looks())
    # Tests read the book again at once.
    monkeypatch.setattr(turns, "REST", 0.0)
    # A process reads the book before it first sends: here, before a test takes the book away.
    assert sending_hold.may_send()
    return simulated
