"""For receivers of webhooks: whether a delivery was signed by Pulse, in either way in which it signs."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Iterable, Mapping

TOLERANCE_SECONDS = 300
_SECONDS = re.compile("[0-9]{1,12}")


def is_genuine(
    headers: Mapping[str, str],
    body: bytes,
    secret: str | Iterable[str],
    now: float | None = None,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> bool:
    """Whether the body was signed with this secret, or one of these, not long ago.

    Either header will do: `Pulse-Signature`, or `webhook-signature` of Standard Webhooks. Give both secrets while one
    is rolled. `headers` by any case of their names; `now` in seconds since 1970, the machine's own time if left out.
    """
    found = {name.lower(): value for name, value in headers.items()}
    secrets = [secret] if isinstance(secret, str) else [*secret]
    instant = time.time() if now is None else now
    ways = (_in_our_way(found, body), _in_the_standard_way(found, body))
    return any(
        abs(instant - way.at) <= tolerance_seconds and any(way.is_by(one) for one in secrets)
        for way in ways
        if way is not None
    )


class _Signed:
    """What was signed at this second, and the signatures that came with it."""

    def __init__(self, at: int, signed: bytes, given: list[bytes]) -> None:
        self.at = at
        self._signed = signed
        self._given = given

    def is_by(self, secret: str) -> bool:
        expected = self.signature(secret, self._signed)
        return any(hmac.compare_digest(expected, one) for one in self._given)

    def signature(self, secret: str, signed: bytes) -> bytes:
        raise NotImplementedError


class _OurWay(_Signed):
    def signature(self, secret: str, signed: bytes) -> bytes:
        return hmac.digest(secret.encode(), signed, "sha256").hex().encode()


class _StandardWay(_Signed):
    def signature(self, secret: str, signed: bytes) -> bytes:
        return base64.b64encode(hmac.digest(_key(secret), signed, "sha256"))


def _in_our_way(headers: Mapping[str, str], body: bytes) -> _Signed | None:
    parts = [part.strip().partition("=") for part in headers.get("pulse-signature", "").split(",")]
    ats = [value for name, _, value in parts if name == "t"]
    if len(ats) != 1 or not _SECONDS.fullmatch(ats[0]):
        return None
    given = [value.encode() for name, _, value in parts if name == "v1"]
    return _OurWay(int(ats[0]), f"{ats[0]}.".encode() + body, given)


def _in_the_standard_way(headers: Mapping[str, str], body: bytes) -> _Signed | None:
    message_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not _SECONDS.fullmatch(at):
        return None
    parts = headers.get("webhook-signature", "").split(" ")
    given = [one.removeprefix("v1,").encode() for one in parts if one.startswith("v1,")]
    return _StandardWay(int(at), f"{message_id}.{at}.".encode() + body, given)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()
