"""Which slices of whom are still to be sent, by minute."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, DateTime, Integer, String

from pulse_core.postgres import sql
from pulse_core.postgres.prepared import prepared

# More than an account may be asked in a few days.
LOOKED_AT = 20_000


def wanted(connection: Connection, broker_account: str) -> Sequence[tuple[str, datetime, int]]:
    """Accounts, minutes, and how many slices come due then; of the slices, the first ones by their time."""
    rows = connection.execute(_WANTED, {"broker_account": broker_account, "looked_at": LOOKED_AT})
    return [(row.account_id, row.minute, row.slices) for row in rows]


_WANTED = (
    sql.load(__package__, "demand", {"broker_account": String(), "looked_at": Integer()})
    .columns(account_id=String(), minute=DateTime(timezone=True), slices=BigInteger())
    .execution_options(**prepared("demand"))
)
