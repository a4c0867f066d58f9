"""`python -m tests.rigs.attack`: how an honest trader fares while somebody floods the gateway, beside a quiet time."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests

from tests.rigs.attack.floods import FLOODS, SLOW_NAMES, Flood, Target
from tests.rigs.attack.honest import Honest
from tests.rigs.attack.late_names import are_possible, late_names
from tests.rigs.attack.table import Attack, rows, table
from tests.support.stacks import PULSE, UP, Stack, running_stack

SETTLES_SECONDS = 2.0


@click.command()
@click.option("--seconds", default=15.0, show_default=True, type=click.FloatRange(3, 120), help="Length of each flood.")
@click.option("--only", multiple=True, type=click.Choice(list(FLOODS)), help="This flood; may be given again.")
def main(seconds: float, only: tuple[str, ...]) -> None:
    """Start a stack, flood it in each way, and print what orders, cancels and logins took.

    Everything is on loopback, from a bounded number of connections. Exits 1 when an honest order or cancel was refused.
    """
    # Ended from outside, it still ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    floods = list(only or FLOODS)
    with tempfile.TemporaryDirectory(prefix="pulse-attack-") as folder, ExitStack() as opened:
        command: tuple[str, ...] = UP
        if SLOW_NAMES in floods and are_possible():
            command = opened.enter_context(late_names(Path(folder)))
        elif SLOW_NAMES in floods:
            floods.remove(SLOW_NAMES)
            say(f"{SLOW_NAMES} are left out: a stack with a name server of its own takes root on Linux")
        stack = opened.enter_context(running_stack(Path(folder) / "data", command=command))
        attacks = measured(stack, seconds, floods)
    click.echo(table(attacks))
    sys.exit(any(one.seen.refused for one in attacks))


def measured(stack: Stack, seconds: float, floods: Sequence[str]) -> list[Attack]:
    """What was seen in each flood, and in the quiet time right before it: the machine may have other work by then."""
    state = stack.state
    honest = Honest(stack.gapi, state.demo_user or "", state.demo_password or "")
    port = urlsplit(stack.gapi).port or 0
    honest.work(SETTLES_SECONDS)
    attacks = []
    for number, name in enumerate(floods):
        # Each by an account of its own, which has as much left as anybody has.
        flood = Flood(name, Target(port, token_of(stack, f"attacker-{number}")), seconds + SETTLES_SECONDS)
        say(f"a quiet time, then {name}")
        quiet = honest.work(seconds)
        flood.start()
        time.sleep(SETTLES_SECONDS)
        attacks.append(Attack(name, quiet, honest.work(seconds), flood.answers()))
        say(rows(attacks[-1])[-1])
    return attacks


def token_of(stack: Stack, name: str) -> str:
    """The token of a new trader."""
    credentials = {"username": name, "password": add_trader(stack.data_dir, name)}
    return str(requests.post(f"{stack.gapi}/api/auth/login", json=credentials, timeout=20).json()["access_token"])


def add_trader(data_dir: Path, name: str) -> str:
    """Let a trader log in at the stack; the password."""
    command = [PULSE, "users", "add", name, "--role", "trader", "--generate", "--json", "--data-dir"]
    added = subprocess.run([*command, str(data_dir)], capture_output=True, text=True, check=True, timeout=60)
    return str(json.loads(added.stdout)["password"])


def say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
