"""Ids that say what they name. The callers pass the instant and the random bits in: nothing here draws its own."""

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


def client_order_id(random_bits: int) -> str:
    """Twenty characters of A-Z and 0-9 from 100 random bits.

    The length is the shortest that a broker allows (Zerodha's tag); 100 bits keep two attempts in a billion
    from meeting with a probability below 1e-12.
    """
    return "".join(_ALPHABET[random_bits >> shift & 31] for shift in range(95, -1, -5))
