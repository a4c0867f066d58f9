"""Access tokens: made for a login, and believed only when everything about them is as we make it."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jwt
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from api_contract import instants
from api_contract.account_rules import is_own_limit
from api_contract.clock import Clock
from api_contract.errors import Unauthorized
from api_contract.ids import ACCOUNT_ID
from api_contract.scopes import SCOPES, Caller
from gapi_app.access.signing import KeySet
from gapi_app.cells.directory import NAME
from gapi_app.clock import pulse_time

ISSUER, AUDIENCE = "gapi", "gapi-api"
_TEXTS = ("sub", "role", "jti", "type", "sid")
_REQUIRED = ("iss", "aud", "iat", "exp", "gen", *_TEXTS)
_OWN_LIMIT, _MUST_ENROL, _CELL = "rpm", "enrol", "cell"
_LONGEST_TOKEN, _LONGEST_ID = 4096, 64
_MOST_CACHED = 10_000


@dataclass(frozen=True)
class Identity:
    """Who a token or an API key speaks for, what can revoke it, and until when it holds (seconds since the epoch).

    `requests_per_minute` is the account's own limit, None for the installation's. A key with `networks` holds for
    callers from there alone.
    """

    caller: Caller
    jti: str
    generation: int
    issued_at: int
    expires_at: int
    requests_per_minute: int | None = None
    networks: tuple[str, ...] = ()


class AccessTokens:
    """Makes access tokens and reads them; remembers those it has verified until they expire."""

    def __init__(self, app: Flask, keys: KeySet, lifetime_seconds: int, clock: Clock = pulse_time) -> None:
        self.keys = keys
        self.lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._verified: OrderedDict[bytes, Identity] = OrderedDict()
        self._lock = Lock()
        app.config.update(
            JWT_ALGORITHM=keys.signing.algorithm,
            JWT_ENCODE_ISSUER=ISSUER,
            JWT_ENCODE_AUDIENCE=AUDIENCE,
            # The instants are ours: the library's would be by the clock of this machine.
            JWT_ACCESS_TOKEN_EXPIRES=False,
        )
        JWTManager(app).encode_key_loader(lambda _account_id: keys.signing.private)

    def issue(
        self,
        account_id: str,
        role: str,
        session_id: str,
        generation: int,
        requests_per_minute: int | None = None,
        *,
        must_enrol: bool = False,
        cell: str | None = None,
    ) -> str:
        """A token of a login. `must_enrol`: one that opens nothing but the set-up of a second factor.

        `cell`: the tag of the account's cell, None for the default one.
        """
        kid = self.keys.signing.kid
        now = int(self._clock.now())
        claims: dict[str, Any] = {"role": role, "sid": session_id, "gen": generation}
        claims |= {"iat": now, "nbf": now, "exp": now + self.lifetime_seconds}
        if requests_per_minute is not None:
            claims[_OWN_LIMIT] = requests_per_minute
        if must_enrol:
            claims[_MUST_ENROL] = True
        if cell is not None:
            claims[_CELL] = cell
        token: str = create_access_token(
            account_id, additional_claims=claims, additional_headers={"kid": kid} if kid else None
        )
        return token

    def read(self, text: str) -> Identity:
        """Whom a token speaks for, revoked or not. Raises Unauthorized for anything but a valid token of ours."""
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verify(text)
            self._remember(digest, known)
        if instants.is_over(known.expires_at, self._clock.now()):
            raise Unauthorized("the access token has expired")
        return known

    def _verify(self, text: str) -> Identity:
        # Not the library's own reading: it takes a token without a type for an access token.
        try:
            if len(text) > _LONGEST_TOKEN:
                raise jwt.InvalidTokenError("too long")
            key = self.keys.verifying(jwt.get_unverified_header(text).get("kid"))
            claims = jwt.decode(
                text,
                key.public,
                algorithms=[key.algorithm],
                audience=AUDIENCE,
                issuer=ISSUER,
                options=instants.unchecked(_REQUIRED),
            )
        except (jwt.PyJWTError, ValueError):
            raise Unauthorized("the access token is not valid") from None
        if not _is_ours(claims) or instants.is_early(claims, self._clock.now()):
            raise Unauthorized("the access token is not valid")
        caller = _caller(claims)
        own_limit = claims.get(_OWN_LIMIT)
        return Identity(caller, claims["jti"], claims["gen"], claims["iat"], claims["exp"], own_limit)

    def _remember(self, digest: bytes, identity: Identity) -> None:
        with self._lock:
            while len(self._verified) >= _MOST_CACHED:
                self._verified.popitem(last=False)
            self._verified[digest] = identity


def _caller(claims: Mapping[str, Any]) -> Caller:
    must_enrol = claims.get(_MUST_ENROL, False)
    scopes = frozenset() if must_enrol else SCOPES[claims["role"]]
    return Caller(claims["sub"], claims["role"], scopes, claims["sid"], must_enrol=must_enrol, cell=claims.get(_CELL))


def _is_ours(claims: Mapping[str, Any]) -> bool:
    if not all(isinstance(claims[name], str) and 0 < len(claims[name]) <= _LONGEST_ID for name in _TEXTS):
        return False
    if not instants.are_numbers(claims) or type(claims["gen"]) is not int:
        return False
    if _OWN_LIMIT in claims and (claims[_OWN_LIMIT] is None or not is_own_limit(claims[_OWN_LIMIT])):
        return False
    if type(claims.get(_MUST_ENROL, False)) is not bool:
        return False
    if _CELL in claims and not (isinstance(claims[_CELL], str) and NAME.fullmatch(claims[_CELL])):
        return False
    return claims["type"] == "access" and claims["role"] in SCOPES and bool(ACCOUNT_ID.fullmatch(claims["sub"]))
