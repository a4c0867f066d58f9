"""Settings are read from the environment once, and what is wrong is named."""

import pytest
from pydantic import ValidationError

from pulse_core.config import Settings

GOOD = {
    "DATABASE_URL": "postgresql://pulse:secret-of-postgres@127.0.0.1/pulse",
    "REDIS_URL": "redis://:secret-of-redis@127.0.0.1/0",
    "PULSE_SERVICE_TOKEN_KEY": "k" * 32,
}


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_three_variables_are_enough() -> None:
    settings = Settings()

    assert settings.broker == "paper"
    assert settings.pulse_exchanges == {"NSE", "BSE"}


@pytest.mark.parametrize("name", GOOD)
def test_a_variable_that_must_be_set_is_named_when_it_is_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PULSE_SERVICE_TOKEN_KEY", "short"),
        ("BROKER", "robinhood"),
        ("LEASE", "0"),
        ("LEASE", "soon"),
        ("BROKER_TIMEOUT", "-1"),
        ("DATABASE_POOL_SIZE", "0"),
        ("PLACEMENT_ATTEMPTS", "0"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_lease_that_leaves_no_time_to_send_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE", "7")
    monkeypatch.setenv("BROKER_TIMEOUT", "7")

    with pytest.raises(ValidationError, match="LEASE"):
        Settings()


def test_exchanges_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_EXCHANGES", "NSE,MCX")

    assert Settings().pulse_exchanges == {"NSE", "MCX"}


def test_no_secret_is_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "secret-of-kite")

    shown = repr(Settings())

    assert "secret-of" not in shown
    assert "k" * 32 not in shown


def test_the_default_pool_has_a_connection_for_every_thread_that_may_place_a_slice() -> None:
    threads_of_the_worker, threads_of_the_watch = 32, 8

    assert Settings().database_pool_size >= threads_of_the_worker + threads_of_the_watch
