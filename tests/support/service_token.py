"""Tokens as the gateway makes them for pulse, each for one request."""

import hashlib
import secrets
import time
from typing import Any

import jwt

from api_contract.scopes import SCOPES, Role


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
    return jwt.encode(service_claims(account_id, role, method, path, body), key, algorithm="HS256")
