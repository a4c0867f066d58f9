"""What signs the deliveries of a webhook: a secret of its own, sealed in its row, and for a while the one before.

A webhook that is older than these secrets signs with one derived from the key that seals them until it is rolled.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from pulse_core.config import keys_of
from pulse_core.sealing import Seal, Unreadable

PREFIX = "whsec_"
_SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as Standard Webhooks writes one: what follows the prefix is the key in base 64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def derived_secret(webhook_id: str) -> str:
    """The secret of a webhook that has none of its own: of the oldest key, under which it was made."""
    return PREFIX + hmac.digest(keys_of("webhook")[-1], f"webhook {webhook_id}".encode(), "sha256").hex()


def sealed(secret: str, webhook_id: str) -> str:
    """The secret as it is stored: nobody reads it without the key, or as that of another webhook."""
    return _seal().sealed(secret, webhook_id)


def opened(text: str, webhook_id: str) -> str:
    """The secret that was sealed. Raises Unreadable."""
    return _seal().opened(text, webhook_id)


def resealed(text: str, webhook_id: str) -> str | None:
    """The same secret sealed with the newest key; None where that has sealed it. Raises Unreadable."""
    return _seal().resealed(text, webhook_id)


def secrets_of(
    webhook_id: str, own: str | None, previous: str | None, previous_until: datetime | None, now: datetime
) -> Sequence[str]:
    """Those that sign at this instant, the newest first. Raises Unreadable when the newest cannot be opened."""
    newest = derived_secret(webhook_id) if own is None else opened(own, webhook_id)
    if previous is None or previous_until is None or previous_until <= now:
        return (newest,)
    try:
        return newest, opened(previous, webhook_id)
    except Unreadable:
        return (newest,)


def signature_headers(secrets: Sequence[str], message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """The headers that prove a body sent at this second: ours, and those of Standard Webhooks, by every secret."""
    ours = ",".join(f"v1={_ours(secret, at, body)}" for secret in secrets)
    return {
        "Pulse-Signature": f"t={at},{ours}",
        "webhook-id": message_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{_standard(secret, message_id, at, body)}" for secret in secrets),
    }


def _ours(secret: str, at: int, body: bytes) -> str:
    return hmac.digest(secret.encode(), f"{at}.".encode() + body, "sha256").hex()


def _standard(secret: str, message_id: str, at: int, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = secret.encode()
    signed = hmac.digest(key, f"{message_id}.{at}.".encode() + body, "sha256")
    return base64.b64encode(signed).decode()


def _seal() -> Seal:
    return Seal(keys_of("webhook"), "secrets of webhooks")
