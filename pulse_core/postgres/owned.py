"""The condition that narrows a statement to what an owner has."""

from typing import Any, assert_never

from sqlalchemy import ColumnElement, true

from pulse_core.owner import EveryAccount, OneAccount, Owner


def owned_by(account_column: Any, owner: Owner) -> ColumnElement[bool]:
    """Of rows with this column for their account, those of the owner."""
    match owner:
        case OneAccount(account_id):
            return account_column == account_id  # type: ignore[no-any-return]
        case EveryAccount():
            return true()
        case _:
            assert_never(owner)
