import secrets

import pytest

import gapi_app
import pulse_app
from gapi_app.config import load_settings
from pulse_core import config

STRONG = secrets.token_urlsafe(32)
KEYS = ["PULSE_JWT_KEY", "PULSE_SERVICE_TOKEN_KEY"]


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, STRONG)
    monkeypatch.delenv("PULSE_EXCHANGES", raising=False)


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    "key",
    ["", "short", "x" * 31, "x" * 64, "changeme-changeme-changeme-changeme", "your-secret-key-goes-here-0123456789abc"],
)
def test_a_weak_key_stops_the_gateway_with_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, key: str) -> None:
    monkeypatch.setenv(name, key)
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    sentence = str(ended.value.code)
    assert sentence.startswith(f"gapi cannot start: {name} is refused: must ")
    assert "\n" not in sentence
    assert not key or key not in sentence


@pytest.mark.parametrize("name", KEYS)
def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit, match=f"gapi cannot start: {name} is not set."):
        gapi_app.create_app()


def test_a_bad_url_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_URL", "ftp://secret@pulse/x")
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    assert "PULSE_URL is refused" in str(ended.value.code)
    assert "secret" not in str(ended.value.code)


def test_exchanges_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().pulse_exchanges == {"NSE", "BSE"}
    monkeypatch.setenv("PULSE_EXCHANGES", "NSE,NFO")
    assert load_settings().pulse_exchanges == {"NSE", "NFO"}


def test_pulse_without_settings_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULSE_SERVICE_TOKEN_KEY", "too short a secret")
    config.settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        pulse_app.create_app()
    sentence = str(ended.value.code)
    assert sentence.startswith("pulse cannot start: DATABASE_URL is not set; REDIS_URL is not set; PULSE_SERVICE_TOKEN")
    assert "too short a secret" not in sentence


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PULSE_RATE_LIMIT_ACCOUNT", "many"),
        ("PULSE_RATE_LIMIT_ORDERS", "0/minute"),
        ("PULSE_RATE_LIMIT_ADDRESS", "10/minute;1/second"),
        ("PULSE_RATE_LIMIT_POSTBACKS", "10 per minute"),
        ("PULSE_LIMITS_REDIS_URL", "amqp://secret@queue"),
        ("PULSE_CORS_ORIGINS", "*"),
        ("PULSE_CORS_ORIGINS", "https://desk.example.com/"),
        ("PULSE_CORS_ORIGINS", "https://desk.example.com,null"),
        ("PULSE_CORS_ORIGINS", "https://*.example.com"),
        ("PULSE_REQUEST_TIMEOUT", "0"),
    ],
)
def test_a_setting_that_makes_no_sense_stops_the_gateway_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    assert str(ended.value.code).startswith(f"gapi cannot start: {name} is refused: ")
    assert "secret" not in str(ended.value.code)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().pulse_cors_origins is None
    monkeypatch.setenv("PULSE_CORS_ORIGINS", "https://desk.example.com,http://[::1]:3000")
    assert load_settings().pulse_cors_origins == {"https://desk.example.com", "http://[::1]:3000"}
