"""Several accounts at one broker, with a book of its own each: what no single account could take in a day."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from bench.children import ROOT, BenchError
from bench.context import Bench
from bench.stack import BEHIND, FRONT, Site, lifted_limits
from pulse_ops.stack import probes
from pulse_ops.stack.child import Program
from pulse_ops.stack.config import LOOPBACK, url_of
from pulse_ops.stack.ports import free_port

BROKER = "zerodha"
EXCHANGES = "exchanges"
# Neither hours nor a list of its exchange are known, so it is traded at any time.
INSTRUMENT = "MCX:GOLDM"
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class KeysOf:
    """What an account's app is called at the broker, and what it signs with."""

    api_key: str
    api_secret: str


def names_of(count: int) -> list[str]:
    """So many accounts."""
    return [f"desk-{number}" for number in range(1, count + 1)]


def keys_of(name: str) -> KeysOf:
    """They open nothing but the benchmark's own exchanges."""
    return KeysOf(f"{name}-api-key", f"{name}-api-secret")


def ledger_of(folder: Path, name: str) -> Path:
    """Where the exchange writes down what this account did."""
    return folder / f"{name}.sqlite"


@contextmanager
def site(
    bench: Bench, name: str, accounts: Sequence[str], prepare: Callable[[Site], None] | None = None, rows: int = 0
) -> Iterator[Site]:
    """A site of its own with these broker accounts and without limits; the usual one rests meanwhile.

    `prepare` is called before anything trades; `rows` are those of each account's book by then.
    """
    folder, port = bench.folder / name, free_port()
    limits = {**lifted_limits(), **variables(port)}
    with bench.site.at_rest() if bench.has_site else nullcontext():
        made = Site(bench.servers, bench.children, folder, 5, prefix=f"{name} ", limits=limits)
        made.other_ledgers = {account: ledger_of(folder, account) for account in accounts}
        try:
            made.start(FRONT)
            bench.children.start([exchanges(folder, port, len(accounts), made.gapi_port, rows)])
            made.log_in_new_accounts(1)
            if prepare is not None:
                prepare(made)
            log_in(made, accounts)
            made.start(BEHIND)
            yield made
        finally:
            made.stop()
            bench.children.stop([EXCHANGES])


def variables(port: int) -> Mapping[str, str]:
    """What the services need to trade with the accounts at this port."""
    return {"KITE_ROOT_URL": url_of(LOOPBACK, port), "PULSE_EXCHANGES": INSTRUMENT.partition(":")[0]}


def exchanges(folder: Path, port: int, count: int, gapi_port: int, rows: int = 0) -> Program:
    """The exchange of so many accounts, in one process, without limits; `rows` are those of each book at first."""
    options = ("--folder", str(folder), "--port", str(port), "--accounts", str(count), "--rows", str(rows))
    postback_url = f"{url_of(LOOPBACK, gapi_port)}/api/postbacks/zerodha"
    return Program(
        name=EXCHANGES,
        command=(sys.executable, "-m", "bench.exchanges", *options, "--postback-url", postback_url),
        is_ready=probes.http_ok(f"{url_of(LOOPBACK, port)}/_paper/health"),
        environment={"PYTHONPATH": str(ROOT)},
    )


def log_in(site: Site, names: Sequence[str]) -> None:
    """Add the accounts and log them in, as an operator does; everybody may trade with them. Raises BenchError."""
    ran = subprocess.run(
        [sys.executable, "-m", "bench.broker_logins"],
        input=json.dumps(list(names)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=dict(site.environment),
        process_group=0,
        check=False,
        timeout=_PATIENCE_SECONDS,
    )
    if ran.returncode:
        raise BenchError(f"broker accounts could not be logged in: {ran.stderr.strip().splitlines()[-1]}")
