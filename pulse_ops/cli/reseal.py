"""`pulse keys reseal`: secrets of webhooks and of second factors, sealed with the newest keys."""

from pathlib import Path

import click

from api_contract.errors import InvalidState
from pulse_core.config import KeyMissing
from pulse_core.events.resealing import reseal_webhooks
from pulse_core.identity.resealing import reseal_second_factors
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import say

_SECRETS = {
    "PULSE_WEBHOOK_KEY": ("webhooks", reseal_webhooks),
    "PULSE_TOTP_KEY": ("second factors", reseal_second_factors),
}


@click.command()
@options.data_dir
def reseal(data_dir: Path | None) -> None:
    """Seal the secrets of webhooks and of second factors with the first keys of PULSE_WEBHOOK_KEY and PULSE_TOTP_KEY.

    Give the new keys, before the old ones and a comma, to pulse and the control worker first; trading goes on. Exits
    with 1 where a secret is opened by none of the keys, and names it.
    """
    use_database(data_dir)
    is_shut = False
    for variable, (whose, run) in _SECRETS.items():
        try:
            found = run()
        except KeyMissing as missing:
            raise InvalidState(f"nothing more was sealed anew: {missing}") from None
        say(f"{found.count} of {whose} sealed with the first key of {variable}.")
        for one in found.unreadable:
            say(f"No key of {variable} opens that of {one}.")
        is_shut = is_shut or bool(found.unreadable)
    if is_shut:
        raise SystemExit(EXIT_FAILURE)
    say("No other key of them is needed any more.")
