"""Codes of an authenticator app (RFC 6238: six digits, 30 s, SHA-1), and recovery codes for when there is none."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS, PERIOD_SECONDS = 6, 30
RECOVERY_CODES = 10
ISSUER = "Pulse"
# The clock of a phone may be so many periods off, to either side.
_DRIFT = 1
_SECRET_BYTES = 20
# 80 bits: no hash of one is guessed, so a plain one will do.
_RECOVERY_BYTES = 10


def new_secret() -> str:
    """A secret in base 32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def uri(secret: str, username: str) -> str:
    """What an app reads from a QR code."""
    return _totp(secret).get_provisioning_uri(username, ISSUER)


def qr_rows(uri: str) -> list[str]:
    """The QR code of an address, row by row, 1 for each dark module; without the quiet zone of four around it."""
    return ["".join(map(str, row)) for row in segno.make_qr(uri).matrix]


def step_at(now: datetime) -> int:
    """The number of the period that this instant lies in."""
    return int(now.timestamp()) // PERIOD_SECONDS


def code_of(secret: str, step: int) -> str:
    """The code of a period."""
    return _totp(secret).generate(step * PERIOD_SECONDS).decode()


def step_of(secret: str, code: str, now: datetime, used_step: int | None) -> int | None:
    """The period that has this code, of the present one and those beside it; None when there is none.

    Periods up to the one that was used last are over, so that no code is taken twice.
    """
    present = step_at(now)
    for step in range(present - _DRIFT, present + _DRIFT + 1):
        if (used_step is None or step > used_step) and hmac.compare_digest(code_of(secret, step), code):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Ten codes, in groups of four for those who copy them by hand."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def recovery_hash(account_id: str, code: str) -> str:
    """What is kept of a recovery code, however it is typed."""
    return hashlib.sha256(f"{account_id} {code.replace('-', '').lower()}".encode()).hexdigest()


def _grouped(text: str) -> str:
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4)).lower()


def _totp(secret: str) -> TOTP:
    # The algorithm that every app knows: in an HMAC, SHA-1 has no weakness that is known.
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), PERIOD_SECONDS)  # noqa: S303
