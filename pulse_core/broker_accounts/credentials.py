"""What this process reaches broker accounts with: the newest credentials, noticed within a second, opened once.

Each process asks at most once a second which versions are the newest, in one statement for all accounts: a worker takes
a new token at its next claim, without a restart and without a message that could be lost. Where nothing is sealed for
the account of PULSE_BROKER, the KITE_ variables count, as they did before there was a vault.
"""

from collections.abc import Mapping
from threading import Lock

from api_contract.errors import ServiceUnavailable
from api_contract.kept import Kept
from api_contract.log import get_logger
from pulse_core import db
from pulse_core.broker_accounts import vault
from pulse_core.broker_accounts.store import credentials
from pulse_core.broker_accounts.store.credentials import Version
from pulse_core.broker_accounts.vault import Credentials
from pulse_core.config import KeyMissing, settings
from pulse_core.errors import DatabaseUnavailable
from pulse_core.sealing import Unreadable

OF_NO_ROW = 0
PAPER = "paper"

log = get_logger(__name__)


class CredentialsShut(ServiceUnavailable):
    """They are sealed with a key that this process does not have: it does nothing with the account."""


def current(account: str) -> Credentials:
    """What counts for a broker account, as of a second ago at most.

    While the database is away, or a version is sealed with a key that this process was not given, what it has opened
    before. Not inside a transaction: it may take a connection. Raises DatabaseUnavailable, CredentialsShut.
    """
    try:
        version = _versions.get().get(account)
    except DatabaseUnavailable:
        if (held := _opened.get(account)) is not None:
            return held
        raise
    if version is None:
        return of_environment(account)
    held = _opened.get(account)
    if held is not None and (held.version, held.made_at) == (version.number, version.made_at):
        return held
    return _open(account, version, held)


def forget() -> None:
    """Read them anew when next asked."""
    _versions.forget()


def is_given(account: str) -> bool:
    """Whether somebody could log in: with what is sealed, or with the variables. Raises DatabaseUnavailable."""
    return _versions.get().get(account) is not None or _is_in_environment(account)


def _open(account: str, version: Version, held: Credentials | None) -> Credentials:
    with _opening:
        try:
            given = vault.newest(account)
        except (KeyMissing, Unreadable) as shut:
            if (account, version) not in _complained:
                _complained.add((account, version))
                log.error(
                    "credentials cannot be opened", broker_account=account, version=version.number, why=why_shut(shut)
                )
            if held is not None:
                return held
            raise CredentialsShut(f"the credentials of {account} cannot be opened: {why_shut(shut)}") from None
        if given is None:
            return of_environment(account)
        if _opened.get(account) != given:
            log.info("credentials taken", broker_account=account, version=given.version, valid_until=given.valid_until)
        _opened[account] = given
        return given


def why_shut(shut: Exception) -> str:
    """Why what is sealed was not opened, for a person."""
    key_id = getattr(shut, "key_id", None)
    if key_id is not None:
        return f"PULSE_VAULT_KEYS has no key {key_id}"
    return str(shut) or "they are not as they were sealed"


def of_environment(account: str) -> Credentials:
    """What the variables say, for the account that they are for; of any other, nothing."""
    config = settings()
    if account not in (config.broker, PAPER):
        return Credentials(account, OF_NO_ROW, "", "")
    return Credentials(
        account=account,
        version=OF_NO_ROW,
        api_key=config.kite_api_key.get_secret_value(),
        api_secret=config.kite_api_secret.get_secret_value(),
        access_token=config.kite_access_token.get_secret_value(),
    )


def _is_in_environment(account: str) -> bool:
    config = settings()
    return account == PAPER or (account == config.broker and not config.placeholders())


def _read_versions() -> Mapping[str, Version]:
    with db.statement() as connection:
        return credentials.versions(connection)


_versions = Kept(_read_versions)
_opening = Lock()
_opened: dict[str, Credentials] = {}
_complained: set[tuple[str, Version]] = set()
