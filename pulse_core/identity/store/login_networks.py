"""The networks that each account has logged in from."""

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pulse_core.identity.tables import Account, LoginNetwork

MOST_KEPT = 50


def is_known(session: Session, username: str, network: str) -> bool:
    """Whether the account of this name has logged in from this network."""
    if "\x00" in username:
        return False
    seen = exists().where(
        LoginNetwork.account_id == Account.id, Account.username == username, LoginNetwork.network == network
    )
    return bool(session.scalar(select(seen)))


def note(session: Session, account_id: str, network: str, now: datetime) -> None:
    """The account has logged in from this network; the one that it was in longest ago is forgotten for it."""
    row = {"account_id": account_id, "network": network, "last_login_at": now}
    fresh = insert(LoginNetwork).values(row)
    session.execute(fresh.on_conflict_do_update(index_elements=["account_id", "network"], set_={"last_login_at": now}))
    of_account = select(LoginNetwork.network).where(LoginNetwork.account_id == account_id)
    too_many = of_account.order_by(LoginNetwork.last_login_at.desc(), LoginNetwork.network).offset(MOST_KEPT)
    forgotten = delete(LoginNetwork).where(LoginNetwork.account_id == account_id, LoginNetwork.network.in_(too_many))
    session.execute(forgotten)
