"""Who each broker says that we are: asked with what is sealed for its accounts, where this machine can open it."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from api_contract.secret_files import secret_of
from api_contract.variables import QUEUE_URL
from pulse_core.broker_accounts import vault
from pulse_core.broker_accounts.tables import BrokerCredentials
from pulse_core.brokers.adapters import ADAPTERS, Keys
from pulse_core.brokers.port import TOKEN_ENDED, BrokerError, Refused
from pulse_core.config import Settings
from pulse_core.sealing import Unreadable, read_key_ring
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong

_COLUMNS = ("version", "api_key", "secret_sealed", "token_sealed", "key_id", "broker_user")
# Of an account that is held it is known already.
_SEALED = f"""
SELECT account.broker, account.name, {", ".join(f"newest.{column}" for column in _COLUMNS)}
  FROM broker_accounts account
  JOIN LATERAL (SELECT * FROM broker_credentials
                 WHERE broker_account = account.name ORDER BY version DESC LIMIT 1) newest ON true
 WHERE account.state = 'READY' AND account.broker = ANY(%s)
 ORDER BY account.name
"""  # noqa: S608


def know_us(cursor: Any, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Each account that works, as its broker knows it; nothing where PULSE_VAULT_KEYS is not known here."""
    keys = environment.get("PULSE_VAULT_KEYS") or secret_of("PULSE_VAULT_KEYS")
    settings = _settings(environment)
    if not keys or settings is None:
        return
    try:
        ring = vault.ring_of(read_key_ring(keys))
    except ValueError:
        # That the variable is wrong is said elsewhere.
        return
    cursor.execute(_SEALED, (list(ADAPTERS),))
    for broker, name, *columns in cursor.fetchall():
        row = BrokerCredentials(broker_account=name, **dict(zip(_COLUMNS, columns, strict=True)))
        try:
            given = vault.opened(row, ring)
        except Unreadable:
            continue
        yield _finding(settings, broker, given)


def _finding(settings: Settings, broker: str, given: vault.Credentials) -> Finding:
    check = f"identity of {given.account}"
    keys = Keys(given.api_key, given.access_token or "", given.api_secret)
    try:
        found = ADAPTERS[broker].identity(settings, keys).whoami()
    except Refused as refused:
        trouble = Trouble.BROKER_TOKEN_DEAD if refused.code == TOKEN_ENDED else Trouble.ACCOUNT_REFUSED
        return wrong(check, trouble, f"{refused.code}, {refused.message}")
    except BrokerError as away:
        return wrong(check, Trouble.BROKER_AWAY, f"{away.code}, {away.message}")
    if given.broker_user not in (None, found):
        return wrong(check, Trouble.ACCOUNT_REFUSED, f"it is {given.broker_user}'s, and the broker knows us as {found}")
    return fine(check, f"the broker knows us as {found}")


def _settings(environment: Mapping[str, str]) -> Settings | None:
    servers = {"DATABASE_URL": "named elsewhere", QUEUE_URL: "named elsewhere"}
    try:
        return Settings(**{**servers, **environment})  # type: ignore[arg-type]
    except ValidationError:
        return None
