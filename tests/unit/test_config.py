"""Settings are read from the environment once, and what is wrong is named."""

import secrets

import pytest
from pydantic import ValidationError

import gapi_app.config
from api_contract.service_keys import public_jwk, public_keys
from api_contract.variables import names_of
from pulse_core import config
from pulse_core.broker_accounts import credentials, starting
from pulse_core.config import Settings, settings_to_start
from pulse_ops.stack.config import StackSettings
from tests.support.service_token import READER_KEY, service_keys

GOOD = {
    "DATABASE_URL": "postgresql://pulse:secret-of-postgres@127.0.0.1/pulse",
    "PULSE_QUEUE_URL": "redis://:secret-of-redis@127.0.0.1/0",
}
KEYS = {f"PULSE_{purpose}_KEY": secrets.token_urlsafe(32) for purpose in ("CURSOR", "IDEMPOTENCY", "WEBHOOK", "TOTP")}
KEYS["PULSE_VAULT_KEYS"] = f"v2:{secrets.token_urlsafe(32)},v1:{secrets.token_urlsafe(32)}"
OF_PULSE = KEYS | {"PULSE_SERVICE_PUBLIC_KEYS": service_keys()["PULSE_SERVICE_PUBLIC_KEYS"]}

CREDENTIALS = ("KITE_API_KEY", "KITE_ACCESS_TOKEN", "KITE_API_SECRET")


@pytest.fixture(autouse=True)
def good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        for variable in names_of(name):
            monkeypatch.delenv(variable, raising=False)
    for name, value in (GOOD | OF_PULSE).items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()


def refusal() -> str:
    with pytest.raises(SystemExit) as ended:
        settings_to_start("pulse", config.OF_PULSE)
    return str(ended.value.code)


def test_two_variables_are_enough_for_what_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OF_PULSE:
        monkeypatch.delenv(name)
    settings = settings_to_start("beat")

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
        ("PULSE_CURSOR_KEY", "short"),
        ("PULSE_SERVICE_PUBLIC_KEYS", "{}"),
        ("PULSE_BROKER", "robinhood"),
        ("PULSE_LEASE", "0"),
        ("PULSE_LEASE", "soon"),
        ("PULSE_BROKER_TIMEOUT", "-1"),
        ("PULSE_DATABASE_POOL_SIZE", "0"),
        ("PULSE_PLACEMENT_ATTEMPTS", "0"),
        ("PULSE_LOG_LEVEL", "LOUD"),
        ("PULSE_RETENTION_WEBHOOK_DELIVERIES", "9"),
        ("PULSE_RETENTION_LOGIN_DAYS", "91"),
        ("PULSE_RETENTION_PROCESS_HOURS", "0"),
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

    config.settings.cache_clear()
    monkeypatch.setattr(credentials, "is_given", lambda _account: True)
    starting.check_credentials("pulse")
    monkeypatch.setattr(credentials, "is_given", lambda _account: False)
    expected = (
        f"pulse cannot start: {name} is refused: PULSE_BROKER=zerodha needs Zerodha's own, not a placeholder, and "
    )
    with pytest.raises(SystemExit, match=f"{expected}nothing is sealed for zerodha."):
        starting.check_credentials("pulse")


def test_a_worker_that_is_not_given_the_secret_starts_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BROKER", "zerodha")
    for one in ("KITE_API_KEY", "KITE_ACCESS_TOKEN"):
        monkeypatch.setenv(one, "of-zerodha")
    monkeypatch.setattr(credentials, "is_given", lambda _account: False)
    monkeypatch.setattr(starting, "_try_variables", lambda _account: None)
    config.settings.cache_clear()

    starting.check_credentials("worker", to_call_only=True)
    with pytest.raises(SystemExit, match="KITE_API_SECRET is refused"):
        starting.check_credentials("pulse")
    monkeypatch.delenv("KITE_ACCESS_TOKEN")
    config.settings.cache_clear()
    with pytest.raises(SystemExit, match="worker cannot start: KITE_ACCESS_TOKEN is refused"):
        starting.check_credentials("worker", to_call_only=True)


def test_every_credential_that_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BROKER", "zerodha")

    assert list(config.placeholders()) == list(CREDENTIALS)


def test_what_is_missing_and_what_is_wrong_are_named_without_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULSE_QUEUE_URL")
    monkeypatch.setenv("PULSE_CURSOR_KEY", "short-secret")

    assert refusal() == (
        "pulse cannot start: PULSE_QUEUE_URL is not set; PULSE_CURSOR_KEY is refused: must have at least 32 bytes. "
        "`pulse keys make` prints new keys, and docs/deployment.md says under Keys which process needs which."
    )


@pytest.mark.parametrize("name", OF_PULSE)
def test_a_key_that_pulse_lacks_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    assert refusal().startswith(f"pulse cannot start: {name} is not set. `pulse keys make` prints new keys")


def test_the_key_of_before_alone_starts_nothing_and_is_said_not_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OF_PULSE:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PULSE_SERVICE_TOKEN_KEY", "the-key-of-before-0123456789-abcdef")

    sentence = refusal()

    assert sentence.startswith(
        "pulse cannot start: PULSE_SERVICE_PUBLIC_KEYS is not set; PULSE_CURSOR_KEY is not set; "
    )
    assert "PULSE_SERVICE_TOKEN_KEY is set, but is not read any more. `pulse keys make`" in sentence
    assert "the-key-of-before" not in sentence


def test_one_key_for_two_purposes_is_refused_by_both_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_WEBHOOK_KEY", KEYS["PULSE_CURSOR_KEY"])

    reason = "it is the same as PULSE_CURSOR_KEY, and each purpose needs a key of its own"
    assert refusal().startswith(f"pulse cannot start: PULSE_WEBHOOK_KEY is refused: {reason}. ")


def test_public_keys_without_one_of_a_gateway_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVICE_PUBLIC_KEYS", public_keys(public_jwk(READER_KEY, ["orders:read"])))

    assert "PULSE_SERVICE_PUBLIC_KEYS is refused: has no key with the right gateway" in refusal()


def test_a_process_without_a_key_says_so_when_it_would_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULSE_CURSOR_KEY")

    with pytest.raises(config.KeyMissing, match="PULSE_CURSOR_KEY is not set"):
        config.keys_of("cursor")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{'new-key-0123456789' * 2},short", "must have at least 32 bytes"),
        (f"{'new-key-0123456789' * 2},", "must have at least 32 bytes"),
        (",".join(["new-key-0123456789" * 2] * 2), "has one key twice"),
    ],
)
def test_each_of_several_keys_of_a_purpose_must_be_good(monkeypatch: pytest.MonkeyPatch, text: str, fault: str) -> None:
    monkeypatch.setenv("PULSE_WEBHOOK_KEY", text)

    assert f"PULSE_WEBHOOK_KEY is refused: {fault}" in refusal()


def test_no_key_of_several_is_one_of_another_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_WEBHOOK_KEY", f"{'new-key-0123456789' * 2},{KEYS['PULSE_CURSOR_KEY']}")

    assert "PULSE_WEBHOOK_KEY is refused: it is the same as PULSE_CURSOR_KEY" in refusal()


def test_exchanges_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_EXCHANGES", "NSE,MCX")

    assert Settings().pulse_exchanges == {"NSE", "MCX"}


def test_no_secret_is_shown_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITE_ACCESS_TOKEN", "secret-of-kite")

    shown = repr(Settings())

    assert "secret-of" not in shown
    assert not any(key in shown for key in KEYS.values())


def test_a_setting_in_seconds_says_so() -> None:
    timed = {
        name: field.description or ""
        for kind in (Settings, gapi_app.config.Settings, StackSettings)
        for name, field in kind.model_fields.items()
        if isinstance(field.default, float) or name.endswith("_lifetime")
    }
    assert [name for name, description in timed.items() if "seconds" not in description.lower()] == []
