"""Orders that were accepted for another broker: this stack would neither send them, nor see what becomes of them."""

from collections.abc import Sequence
from contextlib import closing

import psycopg2

from pulse_ops.stack.errors import StackError
from pulse_ops.stack.external import libpq_url

MOST_NAMED = 10

_OPEN_ELSEWHERE = """
SELECT id, broker, count(*) OVER () FROM orders
WHERE status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING') AND broker <> %s
ORDER BY id LIMIT %s
"""


def check_orders(database_url: str, broker: str) -> None:
    """Raises StackError naming orders of other brokers that are open."""
    connect = psycopg2.connect(libpq_url(database_url), connect_timeout=5)
    with closing(connect) as connection, connection.cursor() as cursor:
        cursor.execute(_OPEN_ELSEWHERE, (broker, MOST_NAMED))
        found = cursor.fetchall()
    if found:
        raise StackError(_refusal(broker, [row[0] for row in found], sorted({row[1] for row in found}), found[0][2]))


def _refusal(broker: str, ids: Sequence[str], others: Sequence[str], count: int) -> str:
    former = " and ".join(f"PULSE_BROKER={other}" for other in others)
    more = f" and {count - len(ids)} more" if count > len(ids) else ""
    return (
        f"PULSE_BROKER={broker} cannot start while orders of {former} are open ({count}: {', '.join(ids)}{more}): "
        f"start with {former}, and let them end or cancel them there first."
    )
