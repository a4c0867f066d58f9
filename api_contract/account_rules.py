"""What an account may have."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

REQUESTS_PER_MINUTE = (1, 1_000_000)
LONGEST_KEY_LIFE_DAYS = 366
LONGEST_WEBHOOK_URL = 500
MOST_NETWORKS = 10
MOST_WEBHOOK_TYPES = 20
LONGEST_SECRET_OVERLAP_SECONDS = 7 * 86_400
TOTP_CODE = re.compile("[0-9]{6}")
# Sixteen characters of base 32; the dashes may be left out.
RECOVERY_CODE = re.compile("(?:[A-Za-z2-7]{4}-?){3}[A-Za-z2-7]{4}")


def is_own_limit(value: Any) -> bool:
    """Whether this can be an account's own limit: requests per minute, or None for the installation's."""
    least, most = REQUESTS_PER_MINUTE
    return value is None or (type(value) is int and least <= value <= most)


def network(text: str) -> IPv4Network | IPv6Network:
    """The network of an address or of a network in CIDR notation. Raises ValueError, for one with host bits too."""
    return ip_network(text)


def is_within(address: str | None, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; with none of them, every address does."""
    if not networks:
        return True
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network(one) for one in networks)
