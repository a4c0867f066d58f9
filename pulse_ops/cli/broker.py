"""`pulse broker`: the accounts at brokers with which Pulse trades."""

import click

from pulse_ops.cli import EXIT_CODES
from pulse_ops.cli.broker_login import keys, login, status, test


@click.group(epilog=EXIT_CODES)
def broker() -> None:
    """Log broker accounts in, and see who is logged in.

    Works on the database of DATABASE_URL, else on that of the running stack; needs its PULSE_VAULT_KEYS.
    """


broker.add_command(keys)
broker.add_command(login)
broker.add_command(status)
broker.add_command(test)
