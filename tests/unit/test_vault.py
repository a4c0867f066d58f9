"""Keys that come and go, what they seal, and the address that a login ends up at."""

import secrets
from pathlib import Path
from threading import Thread

import pytest
import requests

from pulse_core.sealing import KeyRing, UnknownKey, Unreadable, read_key_ring
from pulse_ops.cli.loopback import Redirects, request_token_of
from pulse_ops.stack import preflight
from pulse_ops.stack.errors import StackError
from pulse_ops.stack.secrets import kept_keys, new_vault_key

OLD, NEW = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
RING = KeyRing(read_key_ring(f"new:{NEW}, old:{OLD}"), "credentials")
BEFORE = KeyRing({"old": OLD}, "credentials")


def test_the_first_key_seals_and_all_open() -> None:
    assert RING.newest == "new"
    assert RING.opened(RING.sealed("secret", "paper 1"), "paper 1", "new") == "secret"
    assert RING.opened(BEFORE.sealed("secret", "paper 1"), "paper 1", "old") == "secret"
    assert RING.sealed("secret", "paper 1") != RING.sealed("secret", "paper 1")
    assert NEW not in repr(RING)


@pytest.mark.parametrize(
    ("owner", "key_id", "error"),
    [
        ("paper 2 secret", "old", Unreadable),
        ("zerodha 1 secret", "old", Unreadable),
        ("paper 1 token", "old", Unreadable),
        ("paper 1 secret", "new", Unreadable),
        ("paper 1 secret", "gone", UnknownKey),
    ],
)
def test_what_is_sealed_opens_as_its_owners_with_its_key_alone(owner: str, key_id: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        RING.opened(BEFORE.sealed("secret", "paper 1 secret"), owner, key_id)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "has no key"),
        (OLD, "must be keys like id:key"),
        (f"no spaces:{OLD}", "must be keys like id:key"),
        ("v1:short", "has a weak key: v1 must have at least 32 bytes"),
        (f"v1:{OLD},v1:{NEW}", "has two keys v1"),
        (f"v1:{OLD},v2:{OLD}", "has one key twice: v2"),
    ],
    # Not by the keys, which are others in each process that runs tests.
    ids=["nothing", "a key alone", "an id with a space", "a short key", "an id twice", "a key twice"],
)
def test_a_ring_that_guards_nothing_is_refused_without_its_keys(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as refused:
        read_key_ring(text)
    assert OLD not in str(refused.value)


def test_a_stack_makes_a_ring_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    kept = kept_keys(tmp_path).vault_keys
    assert len(read_key_ring(kept)) == 1
    assert kept_keys(tmp_path).vault_keys == kept
    assert len(read_key_ring(f"{new_vault_key()},{kept}")) == 2


def test_a_key_of_the_ring_is_of_no_other_purpose() -> None:
    with pytest.raises(StackError, match="PULSE_VAULT_KEYS is refused: it is the same as PULSE_TOTP_KEY"):
        preflight.check_keys({"PULSE_TOTP_KEY": OLD, "PULSE_VAULT_KEYS": f"v2:{NEW},v1:{OLD}"})


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("http://127.0.0.1:5010/?action=login&status=success&request_token=Abc123", "Abc123"),
        ("  https://example.com/after?request_token=Abc123  ", "Abc123"),
        ("Abc123", "Abc123"),
        ("http://127.0.0.1:5010/?status=cancelled&request_token=Abc123", None),
        ("http://127.0.0.1:5010/?request_token=a&request_token=b", None),
        ("http://127.0.0.1:5010/favicon.ico", None),
        ("", None),
    ],
)
def test_the_token_is_found_in_the_address_of_the_redirect(address: str, token: str | None) -> None:
    assert request_token_of(address) == token


def test_the_redirect_is_taken_on_loopback_and_other_calls_are_passed_over(capfd: pytest.CaptureFixture[str]) -> None:
    answers: list[int] = []

    def browse(address: str) -> None:
        with requests.Session() as browser:
            browser.trust_env = False
            answers.extend(browser.get(address + query, timeout=5).status_code for query in QUERIES)

    with Redirects(0) as redirects:
        thread = Thread(target=browse, args=(redirects.address,))
        thread.start()
        assert redirects.wait(10) == "Abc123"
        thread.join()
    assert answers == [404, 200]
    assert "Abc123" not in "".join(capfd.readouterr())


QUERIES = ("favicon.ico", "?status=success&request_token=Abc123")
