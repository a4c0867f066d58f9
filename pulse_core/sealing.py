"""Secrets that must be read again: sealed in their row, so that nobody reads them there without the key."""

import base64
import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Unreadable(Exception):
    """A secret that was sealed with another key, for another purpose, or of another owner."""


@dataclass(frozen=True)
class Seal:
    """Seals with AES-GCM, by a key of its own for each purpose; each secret as that of its owner alone."""

    key: bytes
    purpose: str

    def sealed(self, secret: str, owner: str) -> str:
        """The secret as it is stored."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())).decode()

    def opened(self, text: str, owner: str) -> str:
        """The secret that was sealed. Raises Unreadable."""
        try:
            stored = base64.b64decode(text)
            return self._cipher.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], owner.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unreadable from None

    @property
    def _cipher(self) -> AESGCM:
        return AESGCM(hmac.digest(self.key, self.purpose.encode(), "sha256"))
