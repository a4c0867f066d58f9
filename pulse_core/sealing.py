"""Secrets that must be read again: sealed in their row, so that nobody reads them there without the key."""

import base64
import hmac
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api_contract.key_strength import strong_text

_NONCE_BYTES = 12
_KEY_ID = re.compile("[A-Za-z0-9._-]{1,32}")


class Unreadable(Exception):
    """A secret that was sealed with another key, for another purpose, or of another owner."""


@dataclass(frozen=True)
class Seal:
    """Seals with AES-GCM, by keys of its own for each purpose; each secret as that of its owner alone.

    The first of the keys seals, and all of them open.
    """

    keys: Sequence[bytes] = field(repr=False)
    purpose: str

    def sealed(self, secret: str, owner: str) -> str:
        """The secret as it is stored."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._ciphers[0].encrypt(nonce, secret.encode(), owner.encode())).decode()

    def opened(self, text: str, owner: str) -> str:
        """The secret that was sealed. Raises Unreadable."""
        for cipher in self._ciphers:
            try:
                stored = base64.b64decode(text)
                return cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], owner.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        raise Unreadable

    def resealed(self, text: str, owner: str) -> str | None:
        """The same secret sealed with the first key; None where that has sealed it. Raises Unreadable."""
        try:
            Seal(self.keys[:1], self.purpose).opened(text, owner)
        except Unreadable:
            return self.sealed(self.opened(text, owner), owner)
        return None

    @property
    def _ciphers(self) -> Sequence[AESGCM]:
        return [AESGCM(hmac.digest(key, self.purpose.encode(), "sha256")) for key in self.keys]


@dataclass(frozen=True)
class Resealed:
    """How many rows were sealed anew, and the ids of those that no key opens."""

    count: int
    unreadable: Sequence[str]


def reseal_each(ids: Iterable[str], reseal: Callable[[str], bool]) -> Resealed:
    """Seal one row after the other anew: `reseal` says whether there was anything to do, or raises Unreadable."""
    count, unreadable = 0, []
    for one in ids:
        try:
            count += reseal(one)
        except Unreadable:
            unreadable.append(one)
    return Resealed(count, unreadable)


class UnknownKey(Unreadable):
    """What was sealed with a key that is not in the ring; `key_id` names it."""

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id)
        self.key_id = key_id


def read_key_ring(text: str) -> Mapping[str, str]:
    """The keys of `id:key,id:key` by their ids, in this order. Raises ValueError, which quotes no key."""
    found: dict[str, str] = {}
    for stated in filter(None, (one.strip() for one in text.split(","))):
        key_id, colon, key = stated.partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise ValueError("must be keys like id:key, separated by commas, the newest first")
        if key_id in found:
            raise ValueError(f"has two keys {key_id}")
        if key in found.values():
            raise ValueError(f"has one key twice: {key_id} is another's")
        try:
            found[key_id] = strong_text(key)
        except ValueError as weak:
            raise ValueError(f"has a weak key: {key_id} {weak}") from None
    if not found:
        raise ValueError("has no key")
    return found


@dataclass(frozen=True)
class KeyRing:
    """Several keys of one purpose: the first seals, and each opens what it has sealed."""

    keys: Mapping[str, str] = field(repr=False)
    purpose: str

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return next(iter(self.keys))

    def sealed(self, secret: str, owner: str) -> str:
        """The secret as it is stored, with the newest key."""
        return self._seal(self.newest).sealed(secret, owner)

    def opened(self, text: str, owner: str, key_id: str) -> str:
        """The secret that was sealed with this key. Raises UnknownKey, Unreadable."""
        return self._seal(key_id).opened(text, owner)

    def _seal(self, key_id: str) -> Seal:
        if key_id not in self.keys:
            raise UnknownKey(key_id)
        return Seal([self.keys[key_id].encode()], self.purpose)
