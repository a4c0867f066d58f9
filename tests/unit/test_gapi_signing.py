"""Keys that are too weak, or are not what they say, keep the gateway from starting."""

import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

import gapi_app
from gapi_app.access.signing import WeakKeys, load_keys
from tests.support.service_token import service_keys

STRONG = "kJ8d-2Lq0_zXvB7nM4tYpR6sWcE1gHfA9uOi5"
ED = {**OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True), "alg": "EdDSA", "kid": "a"}


def oct_key(length: int) -> dict[str, str]:
    return {"kty": "oct", "alg": "HS256", "kid": "a", "k": urlsafe_b64encode(b"x" * length).decode().rstrip("=")}


def rsa_key(bits: int) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(rsa.generate_private_key(65_537, bits), as_dict=True), "alg": "RS256", "kid": "a"}


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.json"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ([], "must have 1 to 4 keys"),
        ([ED] * 5, "must have 1 to 4 keys"),
        ([ED, ED], "two keys with one kid"),
        ([oct_key(31)], "key 1 has less than 32 bytes"),
        ([rsa_key(1024)], "key 1 has less than 2048 bits"),
        ([{**ED, "alg": "none"}], "no alg of"),
        ([{**ED, "alg": "HS256"}], "key 1"),
        ([{**ED, "alg": "RS256"}], "key 1"),
        ([{**oct_key(64), "alg": "RS256"}], "key 1"),
        ([{name: one for name, one in ED.items() if name != "d"}], "no private key"),
        ([{name: one for name, one in ED.items() if name != "kid"}], "no kid"),
        ([{**ED, "kid": 7}], "no kid"),
        (["key"], "no kid"),
    ],
)
def test_keys_that_must_not_sign_are_refused(tmp_path: Path, keys: list[Any], fault: str) -> None:
    with pytest.raises(WeakKeys, match=fault):
        load_keys(None, written(tmp_path, json.dumps({"keys": keys})))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": 7}', "\x00"])
def test_a_file_that_is_no_set_of_keys_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(WeakKeys):
        load_keys(None, written(tmp_path, text))


def test_the_gateway_ends_with_one_sentence_that_shows_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVICE_PRIVATE_KEY", service_keys()["PULSE_SERVICE_PRIVATE_KEY"])
    monkeypatch.delenv("PULSE_JWT_KEY", raising=False)
    monkeypatch.setenv("PULSE_JWT_KEYS", str(written(tmp_path, json.dumps({"keys": [oct_key(20)]}))))
    with pytest.raises(SystemExit) as ended:
        gapi_app.create_app()
    assert str(ended.value.code) == "gapi cannot start: PULSE_JWT_KEYS key 1 has less than 32 bytes."
