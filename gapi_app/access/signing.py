"""The keys that sign access tokens: one signs, the others are still believed while they are rotated out.

Without `PULSE_JWT_KEYS` the one key is `PULSE_JWT_KEY`, for HS256. With it, it names a file with a JWK Set of private
keys (RFC 7517), each with `kid` and `alg`: HS256, RS256 or EdDSA (Ed25519). Its first key signs. A token without a
`kid` is one of `PULSE_JWT_KEY`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from pydantic import SecretStr

ALGORITHMS = ("HS256", "RS256", "EdDSA")
MOST_KEYS = 4
_LEAST_HMAC_BYTES, _LEAST_RSA_BITS = 32, 2048


class WeakKeys(ValueError):
    """Keys that must not sign anything; says which and why, never the key."""


@dataclass(frozen=True)
class SigningKey:
    """One key with the only algorithm that it may be used with."""

    kid: str | None
    algorithm: str
    private: Any
    public: Any


class KeySet:
    """The keys by their ids, the signing one first."""

    def __init__(self, keys: list[SigningKey]) -> None:
        self.signing = keys[0]
        self._by_kid = {key.kid: key for key in keys}

    def verifying(self, kid: str | None) -> SigningKey:
        """The key of this id. Raises InvalidTokenError for an unknown one."""
        key = self._by_kid.get(kid)
        if key is None:
            raise jwt.InvalidTokenError("no such key")
        return key

    def public_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JWK Set; symmetric keys have no public part and are not in it."""
        shown = []
        for key in self._by_kid.values():
            if key.algorithm != "HS256":
                maker = RSAAlgorithm if key.algorithm == "RS256" else OKPAlgorithm
                jwk = maker.to_jwk(key.public, as_dict=True)
                shown.append({**jwk, "kid": key.kid, "alg": key.algorithm, "use": "sig", "key_ops": ["verify"]})
        return {"keys": shown}


def load_keys(hmac_key: SecretStr | None, path: Path | None) -> KeySet:
    """The keys of the settings. Raises WeakKeys."""
    keys = [] if path is None else _read(path)
    if hmac_key is not None:
        secret = hmac_key.get_secret_value()
        keys.append(SigningKey(None, "HS256", secret, secret))
    if len({key.kid for key in keys}) != len(keys):
        raise WeakKeys("has two keys with one kid")
    return KeySet(keys)


def _read(path: Path) -> list[SigningKey]:
    try:
        entries = json.loads(path.read_text())["keys"]
    except OSError:
        raise WeakKeys("names a file that cannot be read") from None
    except (ValueError, KeyError, TypeError):
        raise WeakKeys("names a file that is no JWK Set") from None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_KEYS:
        raise WeakKeys(f"must have 1 to {MOST_KEYS} keys")
    return [_key(number, entry) for number, entry in enumerate(entries, 1)]


def _key(number: int, entry: Any) -> SigningKey:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kid"), str) or not 1 <= len(entry["kid"]) <= 64:
        raise WeakKeys(f"key {number} has no kid of 1 to 64 characters")
    if entry.get("alg") not in ALGORITHMS:
        raise WeakKeys(f"key {number} has no alg of {', '.join(ALGORITHMS)}")
    try:
        private = jwt.PyJWK.from_dict(dict(entry), algorithm=entry["alg"]).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise WeakKeys(f"key {number} is not a key for {entry['alg']}") from None
    return SigningKey(entry["kid"], entry["alg"], private, _public(number, entry["alg"], private))


def _public(number: int, algorithm: str, private: Any) -> Any:
    if algorithm == "HS256":
        if not isinstance(private, bytes) or len(private) < _LEAST_HMAC_BYTES:
            raise WeakKeys(f"key {number} has less than {_LEAST_HMAC_BYTES} bytes")
        return private
    if not isinstance(private, RSAPrivateKey if algorithm == "RS256" else Ed25519PrivateKey):
        raise WeakKeys(f"key {number} is no private key for {algorithm}")
    if isinstance(private, RSAPrivateKey) and private.key_size < _LEAST_RSA_BITS:
        raise WeakKeys(f"key {number} has less than {_LEAST_RSA_BITS} bits")
    return private.public_key()
