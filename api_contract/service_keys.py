"""The keys of the services: each signs with a private Ed25519 key of its own, and others know it by the public one.

Keys are JWKs (RFC 7517, RFC 8037) with `kid` and, as `iss`, the service whose key it is. A public one has `rights`:
what tokens that it verifies may be used for. Both are given as text, or as the name of a file that holds it.
"""

import base64
import binascii
import json
import re
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from api_contract.scopes import SCOPES, Role

MOST_KEYS = 32
_KEY_BYTES, _KEY_VARIETY = 32, 8
_ISSUER, _KID = re.compile(r"[a-z0-9-]{1,32}"), re.compile(r"[A-Za-z0-9._-]{1,64}")


class ServiceRight(StrEnum):
    """What a service may do beside the scopes of the accounts that it calls for."""

    # Calls for any account, and for none: who has the key of this is an admin.
    GATEWAY = "gateway"
    INTROSPECT = "tokens:introspect"
    REVOKE = "tokens:revoke"


# A service that is no gateway calls for one account at a time, as its trader at most.
SCOPE_RIGHTS: frozenset[str] = frozenset(scope.value for scope in SCOPES[Role.TRADER])
RIGHTS: frozenset[str] = SCOPE_RIGHTS | {right.value for right in ServiceRight}


@dataclass(frozen=True)
class PrivateKey:
    """What a service signs with."""

    issuer: str
    kid: str
    private: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class PublicKey:
    """What a service is known by, and what it may do."""

    issuer: str
    kid: str
    rights: frozenset[str]
    public: Ed25519PublicKey = field(repr=False)


class PublicKeys:
    """The services that are believed; one may have several keys while they are rotated."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._by_kid = {key.kid: key for key in keys}

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._by_kid.values())

    def of(self, kid: object) -> PublicKey | None:
        """The key of this id, None where there is none."""
        return self._by_kid.get(kid) if isinstance(kid, str) else None


def make_private_key(issuer: str, kid: str) -> str:
    """A new key of a service, as text. Raises ValueError for names that no key may have."""
    private = Ed25519PrivateKey.generate()
    named = {"kty": "OKP", "crv": "Ed25519", "kid": kid, "iss": issuer, "x": _encoded(_public_bytes(private))}
    text = json.dumps(named | {"d": _encoded(private.private_bytes_raw())})
    read_private_key(text)
    return text


def new_kid(issuer: str, day: date) -> str:
    """A name for a key that is made on this day; another for each."""
    return f"{issuer}-{day:%Y-%m-%d}-{secrets.token_hex(2)}"


def public_jwk(private_text: str, rights: Collection[str]) -> dict[str, Any]:
    """What others are given of a private key."""
    named = {name: value for name, value in _object(private_text).items() if name != "d"}
    return named | {"rights": sorted(rights)}


def public_keys(*jwks: Mapping[str, Any]) -> str:
    """A set of public keys, as text."""
    return json.dumps({"keys": list(jwks)})


def read_private_key(given: str) -> PrivateKey:
    """The key in a setting. Raises ValueError with what is wrong, never with the key."""
    jwk = _object(read_text(given))
    issuer, kid = _names(jwk)
    secret = _decoded(jwk, "d")
    _check_variety(secret)
    private = Ed25519PrivateKey.from_private_bytes(secret)
    if "x" in jwk and _decoded(jwk, "x") != _public_bytes(private):
        raise ValueError("has a public part of another key")
    return PrivateKey(issuer, kid, private)


def read_public_keys(given: str) -> PublicKeys:
    """The keys in a setting. Raises ValueError with what is wrong, and with which key."""
    entries = _object(read_text(given)).get("keys")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_KEYS:
        raise ValueError(f'must be {{"keys": [...]}} with 1 to {MOST_KEYS} keys')
    keys = [_public_key(number, entry) for number, entry in enumerate(entries, 1)]
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("has two keys with one kid")
    if len({key.public.public_bytes_raw() for key in keys}) != len(keys):
        raise ValueError("has one key twice: make one for each service")
    return PublicKeys(keys)


def read_text(given: str) -> str:
    """What a setting says, or the file that it names. Raises ValueError."""
    if given.lstrip().startswith("{"):
        return given
    try:
        return Path(given.strip()).read_text()
    except (OSError, ValueError):
        raise ValueError("is neither a JWK nor the name of a file that can be read") from None


def _public_key(number: int, jwk: object) -> PublicKey:
    try:
        if not isinstance(jwk, dict):
            raise ValueError("is no JWK")
        if "d" in jwk:
            raise ValueError("is a private key: give it to nobody but its service")
        issuer, kid = _names(jwk)
        public = _decoded(jwk, "x")
        _check_variety(public)
        return PublicKey(issuer, kid, _rights(jwk), Ed25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise ValueError(f"key {number} {error}") from None


def _rights(jwk: Mapping[str, Any]) -> frozenset[str]:
    rights = jwk.get("rights")
    if not isinstance(rights, list) or not rights or not all(isinstance(one, str) for one in rights):
        raise ValueError("has no rights")
    if not set(rights) <= RIGHTS:
        raise ValueError(f"has rights beyond {', '.join(sorted(RIGHTS))}")
    return frozenset(rights)


def _names(jwk: Mapping[str, Any]) -> tuple[str, str]:
    issuer, kid = jwk.get("iss"), jwk.get("kid")
    if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519":
        raise ValueError("is no Ed25519 key (kty OKP, crv Ed25519)")
    if not isinstance(issuer, str) or not _ISSUER.fullmatch(issuer):
        raise ValueError("has no iss of 1 to 32 small letters, digits and -")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError("has no kid of 1 to 64 letters, digits, '.', _ and -")
    return issuer, kid


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")
    return found


def _decoded(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise ValueError(f"has no {name}")
    try:
        decoded = base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) != _KEY_BYTES:
        raise ValueError(f"has no {name} of {_KEY_BYTES} bytes in base 64")
    return decoded


def _check_variety(key: bytes) -> None:
    if len(set(key)) < _KEY_VARIETY:
        raise ValueError("must be random, not a placeholder")


def _public_bytes(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
