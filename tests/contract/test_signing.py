"""Keys that sign access tokens: rotated without a logout, published, and never taken for one another."""

import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from tests.contract.client import Account, Service
from tests.contract.logins import Login, log_in
from tests.support.processes import Processes

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65_537, 2048)
HMAC = secrets.token_bytes(32)

ED_JWK = {**OKPAlgorithm.to_jwk(ED25519, as_dict=True), "kid": "ed", "alg": "EdDSA"}
RSA_JWK = {**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "rsa", "alg": "RS256"}
HMAC_JWK = {"kty": "oct", "k": urlsafe_b64encode(HMAC).decode().rstrip("="), "kid": "hmac", "alg": "HS256"}

Start = Callable[..., Service]


@pytest.fixture
def start(processes: Processes, pulse: Service, tmp_path: Path) -> Start:
    def run(*keys: dict[str, Any]) -> Service:
        path = tmp_path / f"{len(processes.children)}.json"
        path.write_text(json.dumps({"keys": keys}))
        child, url = processes.gapi(PULSE_URL=pulse.url, PULSE_JWT_KEYS=str(path))
        return Service("gapi", url, processes.environment["PULSE_JWT_KEY"], child.log_path)

    return run


@pytest.mark.parametrize(("jwk", "algorithm"), [(ED_JWK, "EdDSA"), (RSA_JWK, "RS256"), (HMAC_JWK, "HS256")])
def test_a_key_signs_with_its_own_algorithm_and_says_which_it_is(
    start: Start, trader: Account, jwk: dict[str, Any], algorithm: str
) -> None:
    login = log_in(start(jwk), trader)
    header = jwt.get_unverified_header(login.access_token)
    assert (header["alg"], header["kid"]) == (algorithm, jwk["kid"])
    assert login.is_believed()


def test_tokens_of_the_old_key_hold_while_it_is_rotated_out(start: Start, trader: Account) -> None:
    before = log_in(start(RSA_JWK), trader)
    during = start(ED_JWK, RSA_JWK)
    assert Login(during, before.access_token, "").is_believed()
    new = log_in(during, trader)
    assert jwt.get_unverified_header(new.access_token)["kid"] == "ed"
    after = start(ED_JWK)
    assert not Login(after, before.access_token, "").is_believed()
    assert Login(after, new.access_token, "").is_believed()


def test_the_public_keys_are_published_and_verify_tokens(start: Start, trader: Account) -> None:
    gapi = start(ED_JWK, RSA_JWK, HMAC_JWK)
    answer = gapi.send("GET", "/.well-known/jwks.json")
    assert [(key["kid"], key["alg"], key["use"]) for key in answer.json()["keys"]] == [
        ("ed", "EdDSA", "sig"),
        ("rsa", "RS256", "sig"),
    ]
    for private in ("d", "p", "q", "dp", "dq", "qi", "k"):
        assert not any(private in key for key in answer.json()["keys"])
    [public] = [key for key in jwt.PyJWKSet.from_dict(answer.json()).keys if key.key_id == "ed"]
    claims = jwt.decode(log_in(gapi, trader).access_token, public, audience="gapi-api", issuer="gapi")
    assert claims["sub"] == trader.account_id


def test_a_gateway_with_a_shared_secret_publishes_nothing(gapi: Service) -> None:
    assert gapi.send("GET", "/.well-known/jwks.json").json() == {"keys": []}


def test_no_key_is_taken_for_another(start: Start, trader: Account) -> None:
    gapi = start(RSA_JWK, ED_JWK, HMAC_JWK)
    claims = gapi.claims(trader)
    pem = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = [
        _hmac_token(claims, pem, {"kid": "rsa"}),
        _hmac_token(claims, pem, {}),
        _hmac_token(claims, pem.strip(), {"kid": "rsa"}),
        jwt.encode(claims, HMAC, "HS256", headers={"kid": "rsa"}),
        jwt.encode(claims, HMAC, "HS256"),
        jwt.encode(claims, HMAC, "HS512", headers={"kid": "hmac"}),
        jwt.encode(claims, RSA, "RS512", headers={"kid": "rsa"}),
        jwt.encode(claims, RSA, "PS256", headers={"kid": "rsa"}),
        jwt.encode(claims, RSA, "RS256", headers={"kid": "ed"}),
        jwt.encode(claims, RSA, "RS256"),
        jwt.encode(claims, ED25519, "EdDSA", headers={"kid": "nobody"}),
        jwt.encode(claims, ED25519, "EdDSA", headers={"kid": "../../../dev/null"}),
        jwt.encode(claims, rsa.generate_private_key(65_537, 2048), "RS256", headers={"kid": "rsa"}),
        jwt.encode(claims, None, "none", headers={"kid": "rsa"}),
        jwt.encode(claims, None, "none"),
        _own_key_token(claims),
    ]
    assert [Login(gapi, token, "").is_believed() for token in forged] == [False] * len(forged)
    assert Login(gapi, jwt.encode(claims, RSA, "RS256", headers={"kid": "rsa"}), "").is_believed()


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "role", "type", "jti", "sid", "gen", "iat", "exp"])
def test_a_signed_token_without_a_claim_is_refused(gapi: Service, trader: Account, name: str) -> None:
    assert not Login(gapi, gapi.token(trader, **{name: None}), "").is_believed()


def test_a_token_is_not_believed_beyond_its_time_though_it_was_before(gapi: Service, trader: Account) -> None:
    now = int(time.time())
    token = gapi.token(trader, iat=now - 10, exp=now - 3)
    assert Login(gapi, token, "").is_believed()
    # Five seconds of leeway.
    while time.time() < now + 2.5:
        time.sleep(0.05)
    assert not Login(gapi, token, "").is_believed()


def _hmac_token(claims: dict[str, Any], key: bytes, header: dict[str, str]) -> str:
    # Not jwt.encode: it refuses a PEM as a secret.
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", **header}, claims)]
    signature = algorithm.sign(b".".join(parts), key)
    return b".".join([*parts, urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def _own_key_token(claims: dict[str, Any]) -> str:
    """Signed with a key that the token itself brings along."""
    own = ed25519.Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(own.public_key(), as_dict=True)
    return jwt.encode(claims, own, "EdDSA", headers={"kid": "ed", "jwk": jwk, "jku": "http://127.0.0.1/keys"})
