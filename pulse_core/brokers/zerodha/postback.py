"""The signature of Kite Connect's postbacks."""

import hashlib


def postback_checksum(order_id: str, order_timestamp: str, api_secret: str) -> str:
    """SHA-256 over the three, in hex, as Kite Connect defines it; the timestamp exactly as in the body."""
    return hashlib.sha256(f"{order_id}{order_timestamp}{api_secret}".encode()).hexdigest()
