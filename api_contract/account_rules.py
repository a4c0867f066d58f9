"""What an account may have."""

from typing import Any

REQUESTS_PER_MINUTE = (1, 1_000_000)
LONGEST_KEY_LIFE_DAYS = 366
LONGEST_WEBHOOK_URL = 500


def is_own_limit(value: Any) -> bool:
    """Whether this can be an account's own limit: requests per minute, or None for the installation's."""
    least, most = REQUESTS_PER_MINUTE
    return value is None or (type(value) is int and least <= value <= most)
