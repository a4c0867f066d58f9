"""`python -m tests.rigs.halt --slices 5000 --rate 10 --kill`: the figures on stdout, the rest on stderr."""

import json
import logging
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click
import structlog

from tests.rigs.halt.rush import KILLED_AT, Rush
from tests.support.environment import environment_of
from tests.support.floor import running_floor
from tests.support.servers import running_postgres, running_redis

# A broker's rate takes no longer than this for what works; what is killed is missed for a while.
SLOWEST, AFTER_A_KILL = 1.5, 60


@click.command()
@click.option("--slices", default=5000, show_default=True, type=click.IntRange(10, 50_000), help="That work.")
@click.option("--rate", default=10, show_default=True, type=click.IntRange(1, 1000), help="Calls a second.")
@click.option("--kill", is_flag=True, help="Kill everything but the exchange, twice while it is called back.")
def main(slices: int, rate: int, kill: bool) -> None:
    """Halt an installation in the middle of a rush; exit 1 when a promise was broken. It takes twice slices / rate."""
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    began = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f} {line}", err=True)

    with tempfile.TemporaryDirectory(prefix="pulse-halt-") as name, ExitStack() as opened:
        folder = Path(name)
        postgres = opened.enter_context(running_postgres(folder))
        other_redis = opened.enter_context(running_redis(folder / "other"))
        environment = opened.enter_context(environment_of(postgres.migrated(), other_redis.url))
        floor = opened.enter_context(running_floor(environment, folder, rate))
        figures = Rush(floor, slices, rate, say, KILLED_AT if kill else (), postgres).carry_out()
    if figures.quiet > SLOWEST * figures.at_the_rate + AFTER_A_KILL * (1 + figures.kills):
        figures.wrong.append(f"quiet after {figures.quiet} s, {figures.at_the_rate} s at the broker's rate")
    click.echo(json.dumps(asdict(figures), indent=2))
    sys.exit(bool(figures.wrong))


if __name__ == "__main__":
    main()
