"""When a token begins and ends. Its maker's clock may differ from ours by a little, in both directions.

All instants are seconds since the epoch; `now` is handed in, so that each service goes by its own clock.
"""

from collections.abc import Iterable, Mapping
from typing import Any

LEEWAY_SECONDS = 5


def unchecked(required: Iterable[str]) -> Any:
    """Options for reading a token with these claims: the library would check its instants by this machine's clock."""
    return {"require": list(required), "verify_iat": False, "verify_nbf": False, "verify_exp": False}


def are_numbers(claims: Mapping[str, Any]) -> bool:
    """Whether `iat`, `exp` and, if any, `nbf` are whole seconds."""
    return all(type(one) is int for one in (claims["iat"], claims["exp"], claims.get("nbf", 0)))


def beginning(claims: Mapping[str, Any]) -> int:
    """When a token begins."""
    begins: int = max(claims["iat"], claims.get("nbf", 0))
    return begins


def is_early(claims: Mapping[str, Any], now: float) -> bool:
    """Whether a token is from the future."""
    return beginning(claims) > now + LEEWAY_SECONDS


def is_over(expires_at: int, now: float) -> bool:
    """Whether a token with this end has expired."""
    return expires_at + LEEWAY_SECONDS <= now
