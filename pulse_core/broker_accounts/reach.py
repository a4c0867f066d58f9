"""What a broker account is reached with."""

from dataclasses import dataclass, field

from pulse_core.broker_accounts.directory import KnownAccount
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.config import is_placeholder, settings

# The account that the environment's credentials are for, and no other: two accounts with the same ones would take each
# other's orders for their own.
OF_THE_ENVIRONMENT = "zerodha"


@dataclass(frozen=True)
class Credentials:
    """An API key, and the token of the day."""

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)


def credentials_of(account: KnownAccount) -> Credentials | None:
    """The newest credentials of this account, None while it has none that could work."""
    if account.name == PAPER:
        return _of_the_paper_exchange() if settings().has_paper_exchange else None
    if account.name == OF_THE_ENVIRONMENT and account.credentials_version is None:
        return _of_the_environment()
    return None


def _of_the_paper_exchange() -> Credentials:
    config = settings()
    if config.broker != PAPER:
        return Credentials(PAPER, PAPER)
    return Credentials(config.kite_api_key.get_secret_value(), config.kite_access_token.get_secret_value())


def _of_the_environment() -> Credentials | None:
    config = settings()
    given = config.kite_api_key, config.kite_access_token
    return None if any(map(is_placeholder, given)) else Credentials(*(one.get_secret_value() for one in given))
