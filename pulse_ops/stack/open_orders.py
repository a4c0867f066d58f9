"""Open orders of broker accounts that are not reached: nothing of them is sent, and nothing of their end is seen."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2

from pulse_core.config import PLACEHOLDERS
from pulse_core.postgres.urls import libpq_url
from pulse_ops.stack.errors import StackError

MOST_NAMED = 10

_OPEN = """
SELECT orders.broker, count(*), (array_agg(orders.id ORDER BY orders.id))[1:%s],
       EXISTS (SELECT 1 FROM broker_credentials AS own
                WHERE own.broker_account = orders.broker AND own.token_sealed IS NOT NULL)
  FROM orders
 WHERE status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING')
 GROUP BY orders.broker
 ORDER BY orders.broker
"""


@dataclass(frozen=True)
class LeftAlone:
    """The open orders of an account that is not reached, the first of them by their ids."""

    broker_account: str
    count: int
    order_ids: Sequence[str]

    def __str__(self) -> str:
        more = f" and {self.count - len(self.order_ids)} more" if self.count > len(self.order_ids) else ""
        return f"{self.broker_account} ({self.count}: {', '.join(self.order_ids)}{more})"


def left_alone(cursor: Any, environment: Mapping[str, str]) -> list[LeftAlone]:
    """Those that services with this environment would leave alone."""
    cursor.execute(_OPEN, (MOST_NAMED,))
    return [
        LeftAlone(name, count, order_ids)
        for name, count, order_ids, has_its_own in cursor.fetchall()
        if not (has_its_own or _is_reached(name, environment))
    ]


def check_orders(database_url: str, environment: Mapping[str, str]) -> None:
    """Raises StackError naming orders that are open where services with this environment do not reach."""
    if found := find_left_alone(database_url, environment):
        raise StackError(_refusal(environment.get("PULSE_BROKER", "paper"), found))


def find_left_alone(database_url: str, environment: Mapping[str, str]) -> list[LeftAlone]:
    """The same as they are now. Raises psycopg2.Error."""
    connect = psycopg2.connect(libpq_url(database_url), connect_timeout=5)
    with closing(connect) as connection, connection.cursor() as cursor:
        return left_alone(cursor, environment)


def _is_reached(broker_account: str, environment: Mapping[str, str]) -> bool:
    """As `pulse_core.broker_accounts.reach` has it, of a process with this environment."""
    if broker_account == "paper":
        return environment.get("PULSE_BROKER", "paper") == "paper" or "PULSE_PAPER_EXCHANGE_URL" in environment
    if broker_account != "zerodha":
        return False
    given = (environment.get(name, "") for name in ("KITE_API_KEY", "KITE_ACCESS_TOKEN"))
    return not any(one.strip().lower() in PLACEHOLDERS for one in given)


def _refusal(broker: str, found: Sequence[LeftAlone]) -> str:
    return (
        f"PULSE_BROKER={broker} cannot start while orders are open of broker accounts that it does not reach: "
        f"{'; '.join(map(str, found))}. Start as before, and let them end or cancel them there first; or start with "
        "--leave: they wait, and nothing of them is sent."
    )
