"""The broker accounts that this process can reach, behind the one port of `port.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock

from api_contract.log import get_logger
from pulse_core.broker_accounts import directory, vault
from pulse_core.broker_accounts.reach import Credentials, credentials_of
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.brokers import side_by_side
from pulse_core.brokers.adapters import ADAPTERS, Connection, Keys
from pulse_core.brokers.port import BookUnavailable, Broker, Identity
from pulse_core.config import Settings, settings
from pulse_core.metrics import switch

log = get_logger(__name__)

# Whoever took this long to say nothing is not asked again for REST times as long, where others wait behind it.
SLOW_SECONDS = 1.0
REST = 5.0


class NotConnected(BookUnavailable):
    """A broker account that this process has nothing to reach it with, or that does not exist."""

    def __init__(self, broker_account: str) -> None:
        super().__init__("NOT_CONNECTED", f"the broker account {broker_account} cannot be reached from here")


def connect(broker_account: str) -> Broker:
    """The connection to a broker account, one for each process: its threads share it, and with it the rate limit.

    New credentials make another, which shares both. Not inside a transaction. Raises NotConnected, DatabaseUnavailable.
    """
    account = directory.account_named(broker_account)
    credentials = credentials_of(account) if account is not None else None
    if account is None or credentials is None:
        raise NotConnected(broker_account)
    return _connection(settings(), account.name, account.broker, credentials)


def reachable() -> Sequence[Broker]:
    """Every broker account that can be reached from here. Not inside a transaction. Raises DatabaseUnavailable.

    One that cannot be connected is left out: it must not stop the others.
    """
    found = []
    for name in directory.accounts_known():
        try:
            found.append(connect(name))
        except NotConnected:
            continue
        except (ValueError, TypeError) as error:
            log.error("broker account left out", broker_account=name, reason=str(error))
    return found


def adapters_by_broker() -> Sequence[tuple[str, object]]:
    """The broker and the adapter of each account that can be reached, those that are READY first.

    For what a broker tells of itself, not of an account: one of its accounts is enough. Raises DatabaseUnavailable.
    """
    known = directory.accounts_known()
    found = [(known[one.name], getattr(one, "unmeasured", one)) for one in reachable() if one.name in known]
    found.sort(key=lambda one: one[0].state is not BrokerAccountState.READY)
    return [(account.broker, adapter) for account, adapter in found]


def for_each_account(
    what: str,
    deed: Callable[[Broker], int],
    is_meant: Callable[[Broker], bool] = lambda _broker: True,
    *,
    is_each_waited_for: bool = False,
) -> int:
    """Do this for every account that can be reached and is meant, side by side, and add up what it returns.

    An account that fails holds up no other, nor does one that hangs, unless `is_each_waited_for`. Raises as
    `side_by_side.run`. An account that is alone is seen to by this thread.
    """
    accounts = reachable()
    patience = None if is_each_waited_for or len(accounts) == 1 else side_by_side.PATIENCE
    meant = {broker.name: partial(deed, broker) for broker in accounts if is_meant(broker)}
    return side_by_side.run(what, meant, patience)


def is_one_of_several() -> bool:
    """Whether others wait behind an account that takes long. Raises DatabaseUnavailable."""
    return len(reachable()) > 1


def rest_after(seconds: float) -> float:
    """How long an account that took this long to fail is to be left alone: not at all where nobody waits behind it."""
    return REST * seconds if seconds >= SLOW_SECONDS and is_one_of_several() else 0.0


def identity(given: vault.Credentials) -> Identity:
    """Who the broker says the account of these credentials is; a `Login` where a person logs in.

    Raises NotConnected, DatabaseUnavailable.
    """
    account = directory.account_named(given.account)
    if account is None:
        raise NotConnected(given.account)
    keys = Keys(given.api_key, given.access_token or "", given.api_secret)
    return ADAPTERS[account.broker].identity(settings(), keys)


@dataclass(frozen=True)
class _Held:
    """A connection, and what it was made of; `adapter` is it without what measures it."""

    config: Settings
    credentials: Credentials
    adapter: Connection
    broker: Broker


def _connection(config: Settings, name: str, broker: str, credentials: Credentials) -> Broker:
    with _connecting:
        held = _held.get(name)
        if held is None or (held.config, held.credentials) != (config, credentials):
            adapter = _adapter(config, name, broker, credentials, held)
            _held[name] = held = _Held(config, credentials, adapter, _measured(adapter))
        return held.broker


def _adapter(config: Settings, name: str, broker: str, credentials: Credentials, former: _Held | None) -> Connection:
    keys = Keys(credentials.api_key, credentials.access_token, credentials.api_secret)
    if former is not None and former.config == config:
        return former.adapter.with_keys(keys.api_key, keys.access_token, keys.api_secret)
    return ADAPTERS[broker].connect(config, name, keys)


def _measured(broker: Broker) -> Broker:
    from pulse_core.metrics.broker_calls import Measured

    return Measured(broker) if switch.is_on() else broker


_connecting = Lock()
_held: dict[str, _Held] = {}
