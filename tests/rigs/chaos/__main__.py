"""`python -m tests.rigs.chaos --seconds 600 --seed 1`: the summary on stdout, the rest on stderr."""

import json
import signal
import sys
import time
from pathlib import Path

import click

from tests.rigs.chaos.exchanges import BROKERS
from tests.rigs.chaos.plan import kinds
from tests.rigs.chaos.run import Run
from tests.support import pgbouncer


@click.command()
@click.option(
    "--seconds", default=60.0, show_default=True, type=click.FloatRange(20, 86_400), help="Length of the fire."
)
@click.option("--seed", default=1, show_default=True, help="Same seed, same plan.")
@click.option("--faults", default="*", show_default=True, help="Patterns of kinds, separated by commas.")
@click.option(
    "--room",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.5, 10),
    help="So many times the time between two faults, where processes need that to start again.",
)
@click.option(
    "--broker", type=click.Choice(list(BROKERS)), default="both", show_default=True, help="Whose exchange is traded at."
)
@click.option("--pooler", is_flag=True, help="The services reach Postgres through a PgBouncer in transaction mode.")
@click.option("--keep-in", default="chaos-failed", type=click.Path(path_type=Path), help="Where a failed run is kept.")
def main(seconds: float, seed: int, faults: str, room: float, broker: str, pooler: bool, keep_in: Path) -> None:
    """Run the whole stack under fire and judge what is left; exit 1 when a promise was broken."""
    try:
        kinds(faults)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if pooler and (reason := pgbouncer.why_not()):
        raise click.UsageError(reason)
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} {line}", err=True)

    summary = Run(seed, seconds, faults, keep_in, say, room=room, broker=broker, is_pooled=pooler).carry_out()
    click.echo(json.dumps(summary, indent=2))
    sys.exit(bool(summary["violations"]))


if __name__ == "__main__":
    main()
