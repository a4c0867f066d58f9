"""Service tokens: each is signed by one service for one request to another, and good for that request alone.

EdDSA with the service's own key, which the header names; who verifies one holds nothing that could make another.
"""

import hashlib
import hmac
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import jwt
from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from api_contract import instants
from api_contract.body import MAX_BODY_BYTES
from api_contract.errors import Unauthorized
from api_contract.scopes import Caller
from api_contract.service_keys import PrivateKey, PublicKeys

ALGORITHM = "EdDSA"
GAPI, PULSE = "gapi", "pulse"
LIFETIME_SECONDS, LONGEST_LIFETIME_SECONDS = 30, 60
LONGEST_JTI = 64
_TEXTS = ("iss", "jti", "method", "path", "body_sha256")
# What a token of the gateway says of whom it calls for.
CALLER_TEXTS = ("sub", "role", "scope")
# Of a login that may only set up its second factor; left out otherwise.
MUST_ENROL = "enrol"


@dataclass(frozen=True)
class Signed:
    """What a token says, and what the service may do that signed it."""

    claims: dict[str, Any]
    rights: frozenset[str]

    @property
    def issuer(self) -> str:
        return str(self.claims["iss"])

    @property
    def once(self) -> str:
        """What is remembered of a token that was used: each service has its own ids."""
        return f"{self.issuer} {self.claims['jti']}"


def service_token(key: PrivateKey, who: Caller, method: str, path: str, body: bytes, now: float) -> str:
    """A token of the gateway for this one request to pulse; `path` with its query, as it is sent."""
    issued = int(now)
    claims: dict[str, Any] = {
        "iss": key.issuer,
        "aud": PULSE,
        "sub": who.account_id,
        "role": who.role,
        "scope": " ".join(sorted(who.scopes)),
        "method": method,
        "path": path,
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
        "jti": uuid.uuid4().hex,
    }
    claims |= {"key_id": who.key_id} if who.key_id else {}
    claims |= {MUST_ENROL: True} if who.must_enrol else {}
    return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})


def signed_claims(text: str, keys: PublicKeys, audience: str, more_texts: Collection[str] = ()) -> Signed:
    """A token that a service we know made for the audience, with `more_texts` among its claims.

    Neither its time nor its request has been looked at. Raises Unauthorized.
    """
    texts = (*_TEXTS, *more_texts)
    options = instants.unchecked((*texts, "aud", "iat", "exp"))
    try:
        key = keys.of(_kid(text.partition(".")[0]))
        if key is None:
            raise jwt.InvalidTokenError("no such key")
        claims: dict[str, Any] = jwt.decode(
            text, key.public, algorithms=[ALGORITHM], audience=audience, issuer=key.issuer, options=options
        )
    except (jwt.PyJWTError, ValueError):
        raise Unauthorized("the service token is not valid") from None
    if not _is_well_formed(claims, texts):
        raise Unauthorized("the service token is not valid")
    return Signed(claims, key.rights)


def check_request(claims: dict[str, Any], request: Request) -> None:
    """Raise Unauthorized unless the token was made for this very request, RequestEntityTooLarge for a large one."""
    path, _, query = claims["path"].partition("?")
    stated = (claims["method"], unquote(path), query.encode(errors="replace"))
    if stated != (request.method, request.path, request.query_string):
        raise Unauthorized("the service token was made for another request")
    body = request.get_data()
    if len(body) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    digest = hashlib.sha256(body).hexdigest().encode()
    if not hmac.compare_digest(claims["body_sha256"].encode(errors="replace"), digest):
        raise Unauthorized("the service token was made for another body")


@lru_cache(maxsize=64)
def _kid(head: str) -> object:
    """The key that the head of a token names; each key's tokens have the same one. Raises PyJWTError."""
    return jwt.get_unverified_header(f"{head}..").get("kid")


def _is_well_formed(claims: dict[str, Any], texts: Collection[str]) -> bool:
    if not instants.are_numbers(claims) or not 0 < claims["exp"] - claims["iat"] <= LONGEST_LIFETIME_SECONDS:
        return False
    return all(isinstance(claims[name], str) for name in texts) and 0 < len(claims["jti"]) <= LONGEST_JTI
