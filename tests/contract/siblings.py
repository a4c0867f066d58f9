"""Tokens as sibling services make them for the gateway, each for one request."""

import hashlib
import secrets
import time
from typing import Any

import jwt


def sibling_token(key: str, path: str, body: bytes, /, **overrides: Any) -> str:
    """Overrides with None leave a claim out."""
    now = int(time.time())
    claims = {
        "iss": "pulse", "aud": "gapi", "method": "POST", "path": path, "body_sha256": hashlib.sha256(body).hexdigest(),
        "iat": now, "exp": now + 30, "jti": secrets.token_hex(8),
    } | overrides  # fmt: skip
    return jwt.encode({name: one for name, one in claims.items() if one is not None}, key, algorithm="HS256")
