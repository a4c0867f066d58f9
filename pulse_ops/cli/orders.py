"""`pulse orders` and `celery -A pulse_tasks orders`."""

import click

from pulse_ops.cli import EXIT_CODES
from pulse_ops.cli.later import Later


@click.group(cls=Later, commands_of="pulse_ops.cli.order_commands:orders", epilog=EXIT_CODES)
def orders() -> None:
    """Place, find, follow, amend, pause and cancel orders through the gateway.

    With a running stack, the gateway and the demo user are found automatically. Elsewhere give --gateway
    and --username, or the variables PULSE_GATEWAY_URL, PULSE_USERNAME and PULSE_PASSWORD.
    """
