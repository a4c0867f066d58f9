"""Whom an API key speaks for: asked of pulse, and believed for five seconds or until its account changes."""

import hashlib
import re
import string
import time
import zlib
from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

from api_contract.errors import Unauthorized
from api_contract.scopes import Caller, Scope
from gapi_app import clock
from gapi_app.access.tokens import Identity
from gapi_app.cells.tags import untagged

PREFIX = "pk_"
BELIEVED_SECONDS = 5.0
_MOST_CACHED = 10_000
_KEY = re.compile(r"pk_[0-9A-HJKMNP-TV-Z]{26}_[0-9A-Za-z]{40}(?P<checksum>[0-9A-Za-z]{6})")
_DIGITS = string.digits + string.ascii_letters


class Directory(Protocol):
    """Who knows the keys."""

    def key_holder(self, api_key: str, tag: str | None) -> dict[str, Any] | None: ...


class KeyHolders:
    """The holders of the keys that were seen lately, unknown keys among them."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._seen: OrderedDict[bytes, tuple[float, Identity | None]] = OrderedDict()
        self._lock = Lock()

    def read(self, text: str) -> Identity:
        """The caller of a key. Raises Unauthorized, or another PulseError if pulse does not answer."""
        made, _tag = untagged(text)
        found = _KEY.fullmatch(made)
        if found is None or found["checksum"] != _checksum(made[:-6]):
            raise Unauthorized("the API key is not valid")
        digest = hashlib.sha256(text.encode()).digest()
        asked_at, identity = self._seen.get(digest, (0.0, None))
        if time.monotonic() - asked_at >= BELIEVED_SECONDS or asked_at == 0.0:
            identity = self._ask(text)
            self._remember(digest, identity)
        if identity is None or identity.expires_at <= clock.now():
            raise Unauthorized("the API key is not valid")
        return identity

    def known(self, text: str) -> Identity | None:
        """Whom a key speaks for, if that was asked a while ago and need not be asked before it is believed again."""
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        _asked_at, identity = self._seen.get(digest, (0.0, None))
        return identity if identity and identity.expires_at > clock.now() else None

    def ask_again(self, text: str) -> Identity:
        """The caller of a key, asked of pulse now. Raises as `read` does."""
        with self._lock:
            self._seen.pop(hashlib.sha256(text.encode()).digest(), None)
        return self.read(text)

    def forget(self) -> None:
        """Ask about every key again."""
        with self._lock:
            self._seen.clear()

    def _ask(self, text: str) -> Identity | None:
        made, tag = untagged(text)
        holder = self._directory.key_holder(made, tag)
        if holder is None:
            return None
        scopes = frozenset(Scope(scope) for scope in holder["scopes"])
        caller = Caller(holder["account_id"], holder["role"], scopes, key_id=holder["key_id"], cell=tag)
        expires_at = int(datetime.fromisoformat(holder["expires_at"]).timestamp())
        generation, networks = holder.get("generation", 0), tuple(holder.get("networks", ()))
        limit = holder.get("requests_per_minute")
        return Identity(caller, holder["key_id"], generation, 0, expires_at, limit, networks)

    def _remember(self, digest: bytes, identity: Identity | None) -> None:
        with self._lock:
            self._seen.pop(digest, None)
            while len(self._seen) >= _MOST_CACHED:
                self._seen.popitem(last=False)
            self._seen[digest] = (time.monotonic(), identity)


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
