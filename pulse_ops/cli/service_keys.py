"""`pulse keys make`: new keys for the services, which are printed and kept nowhere."""

import json
from datetime import UTC, datetime

import click

from api_contract.secret_files import secret_of
from api_contract.service_keys import (
    RIGHTS,
    ServiceRight,
    make_private_key,
    new_kid,
    public_jwk,
    public_keys,
    read_public_keys,
    read_text,
)
from api_contract.service_tokens import GAPI
from pulse_ops.cli.output import say
from pulse_ops.stack.secrets import new_vault_key, random_key

_PUBLIC = "PULSE_SERVICE_PUBLIC_KEYS"
_VAULT = "PULSE_VAULT_KEYS"
_OF_ONE_PURPOSE = ("PULSE_JWT_KEY", "PULSE_CURSOR_KEY", "PULSE_IDEMPOTENCY_KEY", "PULSE_WEBHOOK_KEY", "PULSE_TOTP_KEY")


@click.command()
@click.option("--vault", is_flag=True, help="Only a new key for PULSE_VAULT_KEYS, before those that are set.")
@click.option(
    "--purpose", type=click.Choice(["cursor", "webhook", "totp"]),
    help="Only a new key for this purpose, before those that are set.",
)  # fmt: skip
@click.option("--service", metavar="NAME", help="Only a new pair for this service, such as gapi, to be rotated in.")
@click.option(
    "--right", "rights", type=click.Choice(sorted(RIGHTS)), multiple=True,
    help="What the service may do, if it is not gapi; may be given several times.",
)  # fmt: skip
def make(vault: bool, purpose: str | None, service: str | None, rights: tuple[str, ...]) -> None:
    """Print new keys for the services, as lines of a file .env. They are kept nowhere.

    With --service the public key is added to those of PULSE_SERVICE_PUBLIC_KEYS, with --vault the key is put before
    those of PULSE_VAULT_KEYS, and with --purpose before those of its variable, if that is set.
    """
    if vault + (purpose is not None) + (service is not None) > 1:
        raise click.UsageError("only one of --vault, --purpose and --service can be given.")
    if vault or purpose:
        variable, key = (_VAULT, new_vault_key()) if vault else (f"PULSE_{purpose}_KEY".upper(), random_key())
        former = secret_of(variable) or ""
        click.echo(f"{variable}='{','.join(filter(None, (key, former)))}'")
        say("It is shown once. docs/operations.md says under Rotate keys how to change to it.")
        return
    name = GAPI if service is None else service
    if name != GAPI and not rights:
        raise click.UsageError(f"say what {name} may do: --right {' or --right '.join(sorted(RIGHTS))}")
    try:
        made = _pair(name, rights or (ServiceRight.GATEWAY,), (secret_of(_PUBLIC) or "") if service else "")
    except ValueError as error:
        raise click.UsageError(f"{error}") from error
    if service is None:
        made |= {purpose: random_key() for purpose in _OF_ONE_PURPOSE} | {_VAULT: new_vault_key()}
    for variable, value in made.items():
        click.echo(f"{variable}='{value}'")
    say("These are shown once. docs/deployment.md says under Keys which process needs which.")


def _pair(name: str, rights: tuple[str, ...], known: str) -> dict[str, str]:
    private = make_private_key(name, new_kid(name, datetime.now(UTC).date()))
    former = json.loads(read_text(known))["keys"] if known and read_public_keys(known) else []
    return {
        "PULSE_SERVICE_PRIVATE_KEY": private,
        _PUBLIC: public_keys(*former, public_jwk(private, rights)),
    }
