"""Settings are read from the environment once, and what is wrong is named."""

import pytest
from pydantic import ValidationError

import gapi_app.config
from api_contract.variables import names_of
from pulse_core import config
from pulse_core.config import Settings, settings_to_start
from pulse_ops.stack.config import StackSettings

GOOD = {
    "DATABASE_URL": "postgresql://pulse:secret-of-postgres@127.0.0.1/pulse",
    "REDIS_URL": "redis://:secret-of-redis@127.0.0.1/0",
    "PULSE_SERVICE_TOKEN_KEY": "k" * 32,
}

CREDENTIALS = ("KITE_API_KEY", "KITE_ACCESS_TOKEN", "KITE_API_SECRET")


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        for variable in names_of(name):
            monkeypatch.delenv(variable, raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()


def refusal() -> str:
    with pytest.raises(SystemExit) as ended:
        settings_to_start("pulse")
    return str(ended.value.code)


def test_three_variables_are_enough() -> None:
    settings = Settings()

    assert settings.broker == "paper"
    assert settings.pulse_exchanges == {"NSE", "BSE"}


@pytest.mark.parametrize("name", GOOD)
def test_a_variable_that_must_be_set_is_named_when_it_is_not(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(ValidationError, match=name):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PULSE_SERVICE_TOKEN_KEY", "short"),
        ("PULSE_BROKER", "robinhood"),
        ("PULSE_LEASE", "0"),
        ("PULSE_LEASE", "soon"),
        ("PULSE_BROKER_TIMEOUT", "-1"),
        ("PULSE_DATABASE_POOL_SIZE", "0"),
        ("PULSE_PLACEMENT_ATTEMPTS", "0"),
        ("PULSE_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name):
        Settings()


def test_a_lease_that_leaves_no_time_to_send_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_LEASE", "7")
    monkeypatch.setenv("PULSE_BROKER_TIMEOUT", "7")

    with pytest.raises(ValidationError, match="PULSE_LEASE"):
        Settings()


def test_the_lease_is_named_where_only_the_brokers_timeout_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BROKER_TIMEOUT", "31")

    assert refusal() == (
        "pulse cannot start: PULSE_LEASE is refused: PULSE_LEASE must be longer than PULSE_BROKER_TIMEOUT, "
        "or nothing could ever be sent."
    )


@pytest.mark.parametrize("placeholder", [None, "", "paper", " PAPER ", "changeme"])
@pytest.mark.parametrize("name", CREDENTIALS)
def test_zerodha_is_not_traded_at_with_a_placeholder(
    monkeypatch: pytest.MonkeyPatch, name: str, placeholder: str | None
) -> None:
    monkeypatch.setenv("PULSE_BROKER", "zerodha")
    for one in CREDENTIALS:
        monkeypatch.setenv(one, "secret-of-zerodha")
    assert Settings().broker == "zerodha"
    monkeypatch.delenv(name)
    if placeholder is not None:
        monkeypatch.setenv(name, placeholder)

    expected = f"pulse cannot start: {name} is refused: PULSE_BROKER=zerodha needs Zerodha's own, not a placeholder."
    assert refusal() == expected


def test_every_credential_that_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BROKER", "zerodha")

    assert list(config.wrong_settings()) == list(CREDENTIALS)


def test_what_is_missing_and_what_is_wrong_are_named_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("PULSE_SERVICE_TOKEN_KEY", "short-secret")

    assert refusal() == (
        "pulse cannot start: REDIS_URL is not set; "
        "PULSE_SERVICE_TOKEN_KEY is refused: Value should have at least 32 items after validation, not 12."
    )


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


def test_a_setting_in_seconds_says_so() -> None:
    timed = {
        name: field.description or ""
        for kind in (Settings, gapi_app.config.Settings, StackSettings)
        for name, field in kind.model_fields.items()
        if isinstance(field.default, float) or name.endswith("_lifetime")
    }
    assert [name for name, description in timed.items() if "seconds" not in description.lower()] == []
