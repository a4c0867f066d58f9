"""For receivers of webhooks: whether a delivery was signed by Pulse, by the headers of Standard Webhooks."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping

TOLERANCE_SECONDS = 300
_SECONDS = re.compile("[0-9]{1,12}")


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float | None = None) -> bool:
    """Whether the body was signed with this secret, not long ago. While a secret is rolled both are tried by Pulse.

    `headers` by any case of their names; `now` in seconds since 1970, the machine's own time if left out.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, at = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    instant = time.time() if now is None else now
    if not message_id or not _SECONDS.fullmatch(at) or abs(instant - int(at)) > TOLERANCE_SECONDS:
        return False
    expected = _signature(secret, f"{message_id}.{at}.".encode() + body)
    given = [one.removeprefix("v1,") for one in found.get("webhook-signature", "").split(" ") if one[:3] == "v1,"]
    return any(hmac.compare_digest(expected, one.encode()) for one in given)


def _signature(secret: str, signed: bytes) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = secret.encode()
    return base64.b64encode(hmac.digest(key, signed, "sha256"))
