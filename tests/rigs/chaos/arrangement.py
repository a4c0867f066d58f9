"""What a run sets up: a stack, a second set of workers on a host of its own, and the faults that can happen here."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.chaos import host
from tests.rigs.chaos.clocks import Clocks, library
from tests.rigs.chaos.exchanges import ALPACA, Exchange
from tests.rigs.chaos.host import Host
from tests.rigs.chaos.plan import CLOCK_FAULTS, PACKET_FAULTS
from tests.rigs.chaos.rigged_stack import ADDRESS, CLOCKS_FOLDER, COMMAND
from tests.rigs.chaos.second_set import SecondSet, start_second_set
from tests.support.stacks import Stack, running_stack

Say = Callable[[str], None]


@dataclass(frozen=True)
class Arrangement:
    """`kinds` are the faults that were chosen and can happen here."""

    stack: Stack
    second: SecondSet
    host: Host | None
    clocks: Clocks | None
    kinds: tuple[str, ...]
    exchanges: Sequence[Exchange]


@contextmanager
def arranged(
    data_dir: Path, environment: dict[str, str], chosen: Sequence[str], exchanges: Sequence[Exchange], say: Say
) -> Iterator[Arrangement]:
    """Everything running and ready; ended, with whatever it needed, when the block is left."""
    with ExitStack() as ends:
        second_host = _second_host(say)
        if second_host:
            ends.callback(second_host.end)
            environment = environment | {ADDRESS: second_host.near}
        clocks = _clocks(data_dir / "clocks", chosen, say)
        if clocks:
            environment = environment | {CLOCKS_FOLDER: str(clocks.folder)}
        stack = ends.enter_context(running_stack(data_dir, environment, COMMAND))
        if ALPACA in exchanges:
            _add_us_account(environment | stack.state.environment)
        second = start_second_set(data_dir, environment, second_host.prefix if second_host else ())
        ends.callback(second.end)
        impossible = {*(() if second_host else PACKET_FAULTS), *(() if clocks else CLOCK_FAULTS)}
        possible = tuple(kind for kind in chosen if kind not in impossible)
        yield Arrangement(stack, second, second_host, clocks, possible, exchanges)


def _add_us_account(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.rigs.chaos.us_account"]
    subprocess.run(command, env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)


def _second_host(say: Say) -> Host | None:
    reason = host.why_none()
    if reason is None:
        try:
            return host.make_host()
        except OSError as error:
            reason = str(error)
    say(f"No faults of packets, and both sets of workers on this host: {reason}.")
    return None


def _clocks(folder: Path, chosen: Sequence[str], say: Say) -> Clocks | None:
    if not set(chosen) & set(CLOCK_FAULTS):
        return None
    found = library()
    if found is None:
        say("No faults of clocks: libfaketime is missing (Debian: faketime).")
        return None
    return Clocks(folder, found)
