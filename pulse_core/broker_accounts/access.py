"""With which broker account an order may trade. Whoever trades on paper needs nobody's leave."""

from api_contract.errors import BrokerAccountNotGranted, UnknownBrokerAccount
from pulse_core import db
from pulse_core.broker_accounts import directory
from pulse_core.broker_accounts.store import grants
from pulse_core.config import settings


def broker_account_of(account_id: str, asked: str | None) -> str:
    """The broker account for a new order of this account: the one it asks for, else the installation's.

    Raises UnknownBrokerAccount, BrokerAccountNotGranted, DatabaseUnavailable.
    """
    name = asked or settings().default_broker_account
    known = directory.account_named(name)
    if known is None:
        raise UnknownBrokerAccount(
            f"there is no broker account {name}", {"field": "broker_account", "broker_account": name}
        )
    if known.is_live and not _is_granted(account_id, name):
        message = f"you may not trade with the broker account {name}: an admin has to grant it"
        raise BrokerAccountNotGranted(message, {"field": "broker_account", "broker_account": name})
    return name


def _is_granted(account_id: str, broker_account: str) -> bool:
    with db.transaction() as session:
        return grants.is_granted(session, account_id, broker_account)
