"""What the settings say of each broker: what its account is reached with, and whether they name a product."""

from collections.abc import Mapping
from typing import NamedTuple


class KeySettings(NamedTuple):
    """The settings that an account at a broker is reached with; without a token the keys are enough."""

    api_key: str
    access_token: str | None
    api_secret: str

    @property
    def proof(self) -> str:
        """What shows that a call comes from the account."""
        return self.access_token or self.api_secret

    @property
    def to_call(self) -> tuple[str, str]:
        """What workers are given. A secret beside a token only checks who posts back and who logs in."""
        return self.api_key, self.proof


_OF_KITE = KeySettings("kite_api_key", "kite_access_token", "kite_api_secret")
# What the account that is called as its broker is reached with where nothing is sealed for it.
CREDENTIALS: Mapping[str, KeySettings] = {
    "paper": _OF_KITE,
    "zerodha": _OF_KITE,
    "alpaca": KeySettings("alpaca_api_key", None, "alpaca_api_secret"),
}
# Where an order may be for more than shares that are held, and a setting says what it is for that states nothing.
PRODUCTS_STATED = frozenset({"paper", "zerodha"})


def are_enough(broker: str) -> bool:
    """Whether keys alone reach an account of this broker; elsewhere a person has to log in."""
    return broker in CREDENTIALS and CREDENTIALS[broker].access_token is None
