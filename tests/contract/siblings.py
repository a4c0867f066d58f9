"""Tokens as sibling services make them for the gateway, each for one request."""

import hashlib
import secrets
import time
from typing import Any

from tests.support.service_token import SIBLING, SIBLING_KEY, signed


def sibling_token(path: str, body: bytes, /, key: str = SIBLING_KEY, **overrides: Any) -> str:
    """Overrides with None leave a claim out."""
    now = int(time.time())
    claims = {
        "iss": SIBLING, "aud": "gapi", "method": "POST", "path": path, "body_sha256": hashlib.sha256(body).hexdigest(),
        "iat": now, "exp": now + 30, "jti": secrets.token_hex(8),
    }  # fmt: skip
    return signed(key, claims | overrides)
