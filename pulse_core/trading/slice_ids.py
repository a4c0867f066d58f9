"""The ids of slices and the seed of their plan, which follow from how a client named its order.

An order that is placed again after a restored database had forgotten it gets the very slices that it had: what of them
is at the broker is recognised there by the ids of their attempts.
"""

import hmac

from ulid import ULID

from api_contract import ids

# What is left of 128 bits is the number of the slice: those of one order lie beside each other.
_OF_THE_ORDER, _OF_THE_NUMBER = 14, 2


def slice_id(key: bytes, account_id: str, order_unique_key: str, sequence_number: int) -> str:
    """The id of a slice of the account's order; `key` is the installation's."""
    of_order = _digest(key, "slices", account_id, order_unique_key)[:_OF_THE_ORDER]
    return ids.slice_id(ULID.from_bytes(of_order + sequence_number.to_bytes(_OF_THE_NUMBER, "big")))


def seed(key: bytes, account_id: str, order_unique_key: str) -> int:
    """What the order's schedule is drawn with, from 0 to 2**63 - 1: nobody without the key can tell it."""
    return int.from_bytes(_digest(key, "seed", account_id, order_unique_key)[:8], "big") >> 1


def _digest(key: bytes, what: str, account_id: str, order_unique_key: str) -> bytes:
    """HMAC-SHA256; an account's id has no space in it."""
    return hmac.digest(key, f"{what} {account_id} {order_unique_key}".encode(), "sha256")
