"""What this process has opened of the vault: the newest credentials of each account, opened once.

Which versions are the newest it learns with the list of accounts, at most once a second (`directory`): a worker takes a
new token at its next claim after that, without a restart and without a message that could be lost.
"""

from datetime import datetime
from threading import Lock

from api_contract.errors import ServiceUnavailable
from api_contract.log import get_logger
from pulse_core.broker_accounts import directory, vault
from pulse_core.broker_accounts.directory import KnownAccount
from pulse_core.broker_accounts.vault import Credentials
from pulse_core.broker_accounts.vocabulary import PAPER
from pulse_core.broker_keys import CREDENTIALS
from pulse_core.config import KeyMissing, settings
from pulse_core.sealing import Unreadable

OF_NO_ROW = 0

log = get_logger(__name__)


class CredentialsShut(ServiceUnavailable):
    """They are sealed with a key that this process does not have: it does nothing with the account."""


def sealed(account: KnownAccount) -> Credentials | None:
    """The newest that are sealed for an account, None where there are none.

    One that is sealed with a key that this process was not given leaves it with what it has opened before. Not inside a
    transaction. Raises DatabaseUnavailable, CredentialsShut.
    """
    if account.credentials_version is None:
        return None
    held = _opened.get(account.name)
    if held is not None and _of(held) == (account.credentials_version, account.credentials_made_at):
        return held
    return _open(account, held)


def forget() -> None:
    """Look for newer ones when next asked."""
    directory.forget()


def is_given(account: str) -> bool:
    """Whether anything is sealed for an account. Raises DatabaseUnavailable."""
    known = directory.account_named(account)
    return known is not None and known.credentials_version is not None


def login_ends_at(account: str) -> datetime | None:
    """When the token that this process has of an account ends, as far as is known. Raises as above."""
    known = directory.account_named(account)
    given = None if known is None else sealed(known)
    return None if given is None else given.valid_until


def why_shut(shut: Exception) -> str:
    """Why what is sealed was not opened, for a person."""
    key_id = getattr(shut, "key_id", None)
    if key_id is not None:
        return f"PULSE_VAULT_KEYS has no key {key_id}"
    return str(shut) or "they are not as they were sealed"


def of_environment(account: str) -> Credentials | None:
    """What the variables say, for the account that they are for: the one that is called as its broker, and no other.

    Two accounts with the same keys would take each other's orders for their own.
    """
    config = settings()
    if account == PAPER and config.broker != PAPER:
        return Credentials(account, OF_NO_ROW, PAPER, PAPER, PAPER)
    names = CREDENTIALS.get(account)
    if names is None:
        return None
    key, secret = (getattr(config, one).get_secret_value() for one in (names.api_key, names.api_secret))
    token = getattr(config, names.access_token).get_secret_value() if names.access_token else None
    return Credentials(account, OF_NO_ROW, key, secret, token)


def _open(account: KnownAccount, held: Credentials | None) -> Credentials | None:
    with _opening:
        try:
            given = vault.newest(account.name)
        except (KeyMissing, Unreadable) as shut:
            _complain(account, shut)
            if held is not None:
                return held
            raise CredentialsShut(f"the credentials of {account.name} cannot be opened: {why_shut(shut)}") from None
        if given is not None and _opened.get(account.name) != given:
            _opened[account.name] = given
            told = {"version": given.version, "valid_until": given.valid_until}
            log.info("credentials taken", broker_account=account.name, **told)
        return given


def _complain(account: KnownAccount, shut: Exception) -> None:
    version = account.name, account.credentials_version, account.credentials_made_at
    if version not in _complained:
        _complained.add(version)
        told = {"broker_account": account.name, "version": account.credentials_version, "why": why_shut(shut)}
        log.error("credentials cannot be opened", **told)


def _of(given: Credentials) -> tuple[int, datetime | None]:
    return given.version, given.made_at


_opening = Lock()
_opened: dict[str, Credentials] = {}
_complained: set[tuple[str, int | None, datetime | None]] = set()
