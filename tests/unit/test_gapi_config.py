import json
import secrets
from pathlib import Path

import pytest

import gapi_app
import pulse_app
from gapi_app.config import load_settings
from pulse_core import config
from tests.support.service_token import service_keys

STRONG = secrets.token_urlsafe(32)
PRIVATE = service_keys()["PULSE_SERVICE_PRIVATE_KEY"]
KEYS = {"PULSE_JWT_KEY": STRONG, "PULSE_SERVICE_PRIVATE_KEY": PRIVATE}


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULSE_EXCHANGES", raising=False)


@pytest.mark.parametrize(
    "key",
    ["", "short", "x" * 31, "x" * 64, "changeme-changeme-changeme-changeme", "your-secret-key-goes-here-0123456789abc"],
)
def test_a_weak_key_stops_the_gateway_with_a_sentence(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("PULSE_JWT_KEY", key)
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    sentence = str(ended.value.code)
    assert sentence.startswith("gapi cannot start: PULSE_JWT_KEY is refused: must ")
    assert "\n" not in sentence
    assert not key or key not in sentence


def without(name: str, text: str = PRIVATE, **changes: object) -> str:
    jwk = json.loads(text) | changes
    return json.dumps({one: value for one, value in jwk.items() if one != name})


@pytest.mark.parametrize(
    "key",
    [
        "", STRONG, "/nowhere/key.json", "{", "[]", without("d"), without("kid"), without("iss"), without("crv"),
        without("", d="x" * 43), without("", d="AAAA"), without("", iss="no name"), without("", kid=7),
        without("", x=json.loads(service_keys()["PULSE_SERVICE_PRIVATE_KEY"])["x"]),
    ],
    # They are random, and each process that runs tests has to call them the same.
    ids=lambda _key: "key",
)  # fmt: skip
def test_what_is_no_private_key_stops_the_gateway_with_a_sentence(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("PULSE_SERVICE_PRIVATE_KEY", key)
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    sentence = str(ended.value.code)
    assert sentence.startswith("gapi cannot start: PULSE_SERVICE_PRIVATE_KEY is refused: ")
    assert "`pulse keys make` prints new keys" in sentence
    assert json.loads(PRIVATE)["d"] not in sentence
    assert not key or key == "{" or key == "[]" or key not in sentence


def test_a_private_key_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(PRIVATE)
    monkeypatch.setenv("PULSE_SERVICE_PRIVATE_KEY", str(tmp_path / "key.json"))
    assert (load_settings().signing_key.issuer, load_settings().signing_key.kid) == ("gapi", "gapi-1")


def test_logins_are_not_signed_with_the_key_that_others_were_given_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVICE_TOKEN_KEY", STRONG)
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert "PULSE_JWT_KEY is refused: it is the same as PULSE_SERVICE_TOKEN_KEY" in str(ended.value.code)


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
    for name in ("DATABASE_URL", "PULSE_QUEUE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULSE_CURSOR_KEY", "too short a secret")
    config.settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        pulse_app.create_app()
    sentence = str(ended.value.code)
    assert sentence.startswith(
        "pulse cannot start: PULSE_QUEUE_URL is not set; DATABASE_URL is not set; PULSE_CURSOR_KEY "
    )
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
