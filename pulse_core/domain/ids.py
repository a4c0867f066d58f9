"""Ids that say what they name. The callers pass the instant and the random bits in: nothing here draws its own."""

import hmac

from ulid import ULID

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CLIENT_ORDER_ID_LENGTH = 20


def order_id(ulid: ULID) -> str:
    return f"ord_{ulid}"


def slice_id(ulid: ULID) -> str:
    return f"sl_{ulid}"


def account_id(ulid: ULID) -> str:
    return f"acc_{ulid}"


def session_id(ulid: ULID) -> str:
    return f"ses_{ulid}"


def api_key_id(ulid: ULID) -> str:
    return f"key_{ulid}"


def client_order_id(key: bytes, slice_id: str, attempt: int) -> str:
    """Twenty characters of A-Z and 0-9: the first 100 bits of HMAC-SHA256 over the slice and the attempt's number.

    Derived, so that a database that lost its last commits can look in the broker's book for the attempts it has
    forgotten; keyed, so that two installations never meet in one account. The length is the shortest that a broker
    allows (Zerodha's tag); 100 bits keep two attempts in a billion from meeting with a probability below 1e-12.
    """
    digest = hmac.digest(key, f"{slice_id} {attempt}".encode(), "sha256")
    bits = int.from_bytes(digest) >> (256 - 5 * CLIENT_ORDER_ID_LENGTH)
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(95, -1, -5))
