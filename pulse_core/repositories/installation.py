"""What belongs to the database as a whole, and is restored with it."""

import secrets
from functools import cache

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from pulse_core import db
from pulse_core.models import Installation


@cache
def client_order_id_key() -> bytes:
    """The key from which the ids of attempts follow, read once. Raises DatabaseUnavailable."""
    with db.transaction() as session:
        new_row = {"id": 1, "client_order_id_key": secrets.token_hex(32)}
        session.execute(insert(Installation).values(new_row).on_conflict_do_nothing())
        return bytes.fromhex(session.scalars(select(Installation.client_order_id_key)).one())
