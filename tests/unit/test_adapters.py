"""What brokers allow an account, and when their days begin."""

from datetime import UTC, date, datetime, time

import pytest

from pulse_core.brokers.adapters import ADAPTERS, Keys, limits_of
from pulse_core.brokers.port import CallLimits, looks_ours
from pulse_core.config import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("SECOND", "MINUTE", "DAY"):
        monkeypatch.delenv(f"PULSE_BROKER_ORDERS_PER_{name}", raising=False)
    return Settings(database_url="postgresql://", redis_url="redis://", paper_day_starts=time(6))  # type: ignore[arg-type]


@pytest.mark.parametrize(("broker", "most"), [("paper", (10, 400, 5000)), ("alpaca", (10, 120, 0))])
def test_limits_are_the_brokers_unless_the_settings_state_others(
    settings: Settings, broker: str, most: tuple[int, int, int]
) -> None:
    found = limits_of(broker, settings)
    stated = limits_of(broker, settings.model_copy(update={"broker_orders_per_second": 0, "broker_orders_per_day": 7}))

    assert (found.per_second, found.per_minute, found.per_day) == most
    assert (stated.per_second, stated.per_minute, stated.per_day) == (0, most[1], 7)


def test_only_the_day_of_the_paper_exchange_is_moved(settings: Settings) -> None:
    assert {name: limits_of(name, settings).day_starts for name in ADAPTERS} == {
        "paper": time(6),
        "zerodha": time(0),
        "alpaca": time(0),
    }


def test_a_day_is_the_brokers_own_in_summer_and_in_winter() -> None:
    limits = ADAPTERS["alpaca"].limits

    for at, day, began, ends in (
        ("2026-07-01T03:59", date(2026, 6, 30), "2026-06-30T04:00", "2026-07-01T04:00"),
        ("2026-12-01T05:00", date(2026, 12, 1), "2026-12-01T05:00", "2026-12-02T05:00"),
        ("2026-11-01T12:00", date(2026, 11, 1), "2026-11-01T04:00", "2026-11-02T05:00"),
    ):
        instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
        found = (limits.day_began(instant), limits.day_ends(instant))
        assert limits.day(instant) == day
        assert [f"{one.astimezone(UTC):%Y-%m-%dT%H:%M}" for one in found] == [began, ends]


def test_a_day_may_begin_at_another_hour_than_midnight() -> None:
    limits = CallLimits(10, day_starts=time(6))

    assert limits.day(datetime(2026, 11, 24, 5, 59, tzinfo=UTC)) == date(2026, 11, 23)
    assert limits.day(datetime(2026, 11, 24, 6, 0, tzinfo=UTC)) == date(2026, 11, 24)


@pytest.mark.parametrize(
    ("tag", "is_ours"),
    [("ABCDEFGHIJ0123456789", True), ("ABCDEFGHIJ012345678", False), ("abcdefghij0123456789", False), (None, False)],
)
def test_what_may_be_an_attempt_of_ours_is_told_by_its_looks(tag: str | None, is_ours: bool) -> None:
    assert looks_ours(tag) is is_ours


@pytest.mark.parametrize("broker", ADAPTERS)
def test_every_adapter_connects_an_account_and_takes_newer_keys_under_the_same_limits(
    settings: Settings, broker: str
) -> None:
    connected = ADAPTERS[broker].connect(settings, "account-1", Keys("key-1", "token-1", "secret-1"))
    renewed = connected.with_keys("key-2", "token-2", "secret-2")

    assert renewed is not connected
    assert {one.name for one in (connected, renewed)} == {"account-1"}
    assert {one.limits for one in (connected, renewed)} == {limits_of(broker, settings)}
    # What this process has sent lately counts on.
    assert vars(renewed)["_limiter"] is vars(connected)["_limiter"]
