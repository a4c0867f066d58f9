"""What a broker account is reached with."""

from dataclasses import dataclass, field

from pulse_core.broker_accounts import credentials
from pulse_core.broker_accounts.credentials import CredentialsShut
from pulse_core.broker_accounts.directory import KnownAccount
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.broker_keys import CREDENTIALS, are_enough
from pulse_core.config import is_placeholder, settings


@dataclass(frozen=True)
class Credentials:
    """An API key, the token of the day, and the secret that the broker signs with or takes in place of a token."""

    api_key: str = field(repr=False)
    access_token: str = field(repr=False)
    api_secret: str = field(default="", repr=False)


def credentials_of(account: KnownAccount) -> Credentials | None:
    """The newest credentials of this account, None while it has none that could work."""
    if account.name == PAPER and not settings().has_paper_exchange:
        return None
    if account.credentials_version is not None:
        return _of_the_vault(account)
    if account.name == PAPER:
        return _of_the_paper_exchange()
    # Of an account that is called as another broker the variables say nothing.
    is_meant = account.name == account.broker and account.broker in CREDENTIALS
    return _of_the_environment(account.broker) if is_meant else None


def _of_the_vault(account: KnownAccount) -> Credentials | None:
    """None while nobody is logged in, or what is sealed cannot be opened here, which was logged."""
    try:
        given = credentials.sealed(account)
    except CredentialsShut:
        return None
    if given is None or (given.access_token is None and not are_enough(account.broker)):
        return None
    return Credentials(given.api_key, given.access_token or "", given.api_secret)


def _of_the_paper_exchange() -> Credentials:
    config = settings()
    if config.broker != PAPER:
        return Credentials(PAPER, PAPER, config.kite_api_secret.get_secret_value())
    given = config.kite_api_key, config.kite_access_token, config.kite_api_secret
    return Credentials(*(one.get_secret_value() for one in given))


def _of_the_environment(broker: str) -> Credentials | None:
    config, names = settings(), CREDENTIALS[broker]
    if any(is_placeholder(getattr(config, name)) for name in (names.api_key, names.proof)):
        return None
    return Credentials(*("" if name is None else getattr(config, name).get_secret_value() for name in names))
