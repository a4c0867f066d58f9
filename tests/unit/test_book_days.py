"""A day of the broker's books begins at midnight in India, and what was sent just before may stand in the next one."""

from datetime import UTC, datetime, timedelta

import pytest

from pulse_core.brokers.zerodha.broker import ZerodhaBroker
from pulse_core.trading.book import days

# 00:00 of 24 November in India.
MIDNIGHT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)


@pytest.fixture
def broker() -> ZerodhaBroker:
    return ZerodhaBroker(name="zerodha", root="http://127.0.0.1:1", api_key="key", access_token="token")


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=23, minutes=59)])
def test_every_instant_of_a_day_has_its_midnight(broker: ZerodhaBroker, later: timedelta) -> None:
    assert broker.covers_since(MIDNIGHT + later) == MIDNIGHT
    assert broker.covers_since(MIDNIGHT - timedelta(seconds=1)) == MIDNIGHT - timedelta(days=1)


def test_what_was_sent_within_a_minute_of_midnight_counts_for_neither_side(broker: ZerodhaBroker) -> None:
    minute = timedelta(minutes=1)

    assert days.sent_since(broker, MIDNIGHT) == MIDNIGHT - minute
    assert days.over_before(broker, MIDNIGHT + minute / 2) == MIDNIGHT - timedelta(days=1)
    assert days.over_before(broker, MIDNIGHT + minute) == MIDNIGHT
