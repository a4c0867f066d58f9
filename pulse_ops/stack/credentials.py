"""A stack whose orders go to a live account needs something to log in with."""

from contextlib import closing

import psycopg2

from pulse_core.broker_accounts.starting import HOW
from pulse_core.config import placeholders
from pulse_core.postgres.urls import libpq_url
from pulse_ops.stack.errors import StackError

_SEALED = "SELECT EXISTS (SELECT FROM broker_credentials WHERE broker_account = %s)"


def check_credentials(database_url: str, account: str) -> None:
    """Raises StackError naming the variables that are placeholders where nothing is sealed for a live account."""
    faults = placeholders()
    if not faults:
        return
    connect = psycopg2.connect(libpq_url(database_url), connect_timeout=5)
    with closing(connect) as connection, connection.cursor() as cursor:
        cursor.execute(_SEALED, (account,))
        if cursor.fetchone() == (True,):
            return
    named = "; ".join(f"{variable} {fault}" for variable, fault in faults.items())
    raise StackError(f"The services cannot start: {named}, and nothing is sealed for {account}.{HOW}")
