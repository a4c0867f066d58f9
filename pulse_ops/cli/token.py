"""`pulse token`: an access token for curl and other programs."""

from typing import Unpack

import click

from pulse_ops.cli import EXIT_CODES, options
from pulse_ops.cli.connection import Where, connect, connection_options
from pulse_ops.cli.output import print_json


@click.command(
    epilog=f"""\b
Example:
  curl -H "Authorization: Bearer $(pulse token)" http://127.0.0.1:8000/api/orders

{EXIT_CODES}"""
)
@options.as_json
@connection_options
def token(is_json: bool, **where: Unpack[Where]) -> None:
    """Log in and print an access token; with --json also how many seconds it lasts."""
    if where["token"]:
        raise click.UsageError("There is already a token: unset PULSE_TOKEN, or omit --token.")
    answer = connect(**where).log_in()
    if is_json:
        print_json(answer)
        return
    click.echo(answer.access_token)
