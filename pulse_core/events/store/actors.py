"""What those are called who made something happen."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from api_contract.ids import ACCOUNT_ID
from pulse_core.events.tables import usernames


def names_of(session: Session, actors: Collection[str]) -> dict[str, str]:
    """The usernames of those of the actors that are accounts, by id."""
    accounts = {one for one in actors if ACCOUNT_ID.fullmatch(one)}
    return {row.id: row.username for row in session.execute(usernames(accounts))} if accounts else {}
