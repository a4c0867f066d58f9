"""The ids that orders carry at the broker. The callers pass the key in: nothing here draws its own."""

import hmac
from base64 import b32encode
from functools import cache

# The alphabet of the other ids, in place of that of base 32.
_OURS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")


def client_order_id(key: bytes, slice_id: str, attempt: int) -> str:
    """Twenty characters of A-Z and 0-9 that name one attempt: the installation's mark, then 80 bits of a keyed hash.

    Derived, so that a database which lost its last commits can compute which tag the attempt it forgot went out
    under, and look for it in the broker's book. Keyed, so that nobody else can, and two installations with the
    same slice ids do not meet. Twenty is the longest that a broker allows (Zerodha's tag); 80 bits keep two
    attempts in a billion from meeting with a probability below 1e-6, at which the claim of one would fail.
    """
    return installation_mark(key) + _characters(key, f"attempt {slice_id} {attempt}", 16)


@cache
def installation_mark(key: bytes) -> str:
    """The four characters that every client order id of this key begins with: one in a million of another key does."""
    return _characters(key, "installation", 4)


def _characters(key: bytes, of: str, count: int) -> str:
    """The first bits of HMAC-SHA256, five for each character."""
    return b32encode(hmac.digest(key, of.encode(), "sha256")).translate(_OURS)[:count].decode()
