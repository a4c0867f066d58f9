"""The share of an order's value that is blocked. The real ones change by the day; these are round."""

# Of the value, by product; futures and sold options by the value of what they stand for.
_CASH = {"CNC": 1.0, "MTF": 0.5, "MIS": 0.2}
DERIVATIVES = 0.15


def share_blocked(key: str, product: str) -> float:
    """The share of a position's value that is blocked."""
    if key.startswith("NFO:"):
        return DERIVATIVES if key.endswith("FUT") else 1.0
    return _CASH.get(product, 1.0)
