"""Tokens as services make them for one another, each for one request, and the keys of the services of tests."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

import jwt

from api_contract.scopes import SCOPES, Role
from api_contract.service_keys import make_private_key, public_jwk, public_keys, read_private_key

# A sibling that may ask the gateway about tokens, and one that may read orders of pulse.
SIBLING, READER = "risk", "statements"
SIBLING_KEY, READER_KEY = make_private_key(SIBLING, "risk-1"), make_private_key(READER, "statements-1")


def service_keys() -> dict[str, str]:
    """The variables of the gateway and of pulse that make them know each other and both siblings."""
    private = make_private_key("gapi", "gapi-1")
    known = (
        public_jwk(private, ["gateway"]),
        public_jwk(SIBLING_KEY, ["tokens:introspect", "tokens:revoke"]),
        public_jwk(READER_KEY, ["orders:read"]),
    )
    return {"PULSE_SERVICE_PRIVATE_KEY": private, "PULSE_SERVICE_PUBLIC_KEYS": public_keys(*known)}


def signed(key: str, claims: Mapping[str, Any], **header: Any) -> str:
    """A token with these claims, whatever they are; what is None is left out."""
    private = read_private_key(key)
    said = json.dumps({name: one for name, one in claims.items() if one is not None}).encode()
    # Not jwt.encode: it refuses to sign some of what an attacker would.
    named = {name: one for name, one in ({"kid": private.kid} | header).items() if one is not None}
    return jwt.PyJWS().encode(said, private.private, algorithm="EdDSA", headers=named)


def service_claims(account_id: str, role: str, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    """`path` with its query. A role that is none has no scopes."""
    now = int(time.time())
    scopes = SCOPES[Role(role)] if role in tuple(Role) else ()
    return {
        "iss": "gapi", "aud": "pulse", "sub": account_id, "role": role, "scope": " ".join(sorted(scopes)),
        "method": method, "path": path, "body_sha256": hashlib.sha256(body).hexdigest(),
        "iat": now, "exp": now + 30, "jti": secrets.token_hex(16),
    }  # fmt: skip


def service_token(key: str, account_id: str, role: str, method: str, path: str, body: bytes = b"") -> str:
    return signed(key, service_claims(account_id, role, method, path, body))
