"""`pulse keys rotate-vault`: what is sealed for broker accounts, sealed with the newest key."""

from pathlib import Path

import click

from api_contract.errors import InvalidState
from pulse_core.broker_accounts import vault
from pulse_core.config import KeyMissing
from pulse_core.sealing import Unreadable
from pulse_ops.cli import EXIT_FAILURE, options
from pulse_ops.cli.database import use_database
from pulse_ops.cli.output import say


@click.command("rotate-vault")
@options.data_dir
def rotate_vault(data_dir: Path | None) -> None:
    """Seal the credentials of all broker accounts with the first key of PULSE_VAULT_KEYS, while trading goes on.

    Give the new key, which `pulse keys make --vault` makes, to pulse and the workers first. Exits with 1 while an older
    key is still needed, and names it.
    """
    use_database(data_dir)
    try:
        found = vault.reseal_all()
    except (KeyMissing, Unreadable) as shut:
        raise InvalidState(f"nothing more was sealed anew: {shut or 'a version is not as it was sealed'}") from None
    say(f"{found.count} sealed with {found.newest}.")
    for key_id, held in found.needed.items():
        missing = ", which PULSE_VAULT_KEYS lacks" if key_id in found.missing else ""
        say(f"Still needed: {key_id}{missing}, for {held}.")
    if found.needed:
        raise SystemExit(EXIT_FAILURE)
    say(f"No key but {found.newest} is needed any more.")
