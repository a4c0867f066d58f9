"""What a receiver may believe: deliveries signed by Pulse, in either way, by any of its secrets, not long ago."""

import secrets

import pytest

from pulse_client import is_genuine
from pulse_core.events.webhook_secrets import new_secret, signature_headers

NOW = 1_772_424_012
BODY = b'{"events": []}'
OURS, STANDARD = {"Pulse-Signature"}, {"webhook-id", "webhook-timestamp", "webhook-signature"}


def signed(*by: str, at: int = NOW, only: set[str] | None = None, body: bytes = BODY) -> dict[str, str]:
    found = signature_headers(by, "whk_1.1-2", at, body)
    return {name: value for name, value in found.items() if only is None or name in only}


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.mark.parametrize("only", [OURS, STANDARD, None])
def test_either_signature_is_enough(secret: str, only: set[str] | None) -> None:
    headers = signed(secret, only=only)
    assert is_genuine(headers, BODY, secret, NOW)
    assert is_genuine({name.upper(): value for name, value in headers.items()}, BODY, secret, NOW)
    assert not is_genuine(headers, BODY + b" ", secret, NOW)
    assert not is_genuine(headers, BODY, new_secret(), NOW)


@pytest.mark.parametrize("only", [OURS, STANDARD])
def test_while_a_secret_is_rolled_both_count(only: set[str]) -> None:
    new, old = new_secret(), new_secret()
    both, after = signed(new, old, only=only), signed(new, only=only)
    assert is_genuine(both, BODY, old, NOW)
    assert is_genuine(both, BODY, new, NOW)
    assert is_genuine(signed(old, only=only), BODY, (new, old), NOW)
    assert not is_genuine(after, BODY, old, NOW)
    assert not is_genuine(after, BODY, (), NOW)


@pytest.mark.parametrize("only", [OURS, STANDARD])
@pytest.mark.parametrize(("seconds", "is_believed"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_an_old_delivery_and_one_from_the_future_are_not_believed(
    secret: str, only: set[str], seconds: int, is_believed: bool
) -> None:
    headers = signed(secret, only=only)
    assert is_genuine(headers, BODY, secret, NOW + seconds) is is_believed
    assert is_genuine(headers, BODY, secret, NOW + seconds, tolerance_seconds=1000)


def test_a_fresh_time_of_one_way_does_not_renew_the_other(secret: str) -> None:
    old = signed(secret, at=NOW - 1000)
    forged = old | {"webhook-timestamp": str(NOW)}
    assert not is_genuine(forged, BODY, secret, NOW)
    forged = old | {"Pulse-Signature": old["Pulse-Signature"].replace(str(NOW - 1000), str(NOW))}
    assert not is_genuine(forged, BODY, secret, NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Pulse-Signature": ""},
        {"Pulse-Signature": f"t={NOW}"},
        {"Pulse-Signature": f"t={NOW},v1="},
        {"Pulse-Signature": "t=soon,v1=00"},
        {"Pulse-Signature": f"t={NOW},t={NOW},v1=ü"},
        {"webhook-id": "1", "webhook-timestamp": str(NOW), "webhook-signature": "v1,ü v2,x"},
        {"webhook-id": "1", "webhook-timestamp": "9" * 5000, "webhook-signature": "v1,x"},
        {"webhook-id": "", "webhook-timestamp": str(NOW), "webhook-signature": "v1,x"},
    ],
)
def test_what_is_no_signature_is_not_believed(headers: dict[str, str], secret: str) -> None:
    assert not is_genuine(headers, BODY, secret, NOW)


def test_a_secret_in_plain_words_signs_as_it_is() -> None:
    plain = "whsec_" + secrets.token_hex(20) + "!"
    assert is_genuine(signed(plain), BODY, plain, NOW)
    assert is_genuine(signed(plain, only=STANDARD), BODY, plain, NOW)
