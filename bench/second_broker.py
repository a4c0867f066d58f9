"""A broker account with real money, at an exchange of its own that can hang while the other does not."""

from pathlib import Path

from bench.children import ROOT
from bench.stack import Site
from pulse_ops.stack import probes, processes
from pulse_ops.stack.child import Program
from pulse_ops.stack.config import LOOPBACK, url_of
from pulse_ops.stack.processes import Listen

ACCOUNT = "zerodha"
# Neither hours nor a list of its exchange are known, so it is traded at any time.
INSTRUMENT = "MCX:GOLDM"
TRADED = {"PULSE_EXCHANGES": "MCX", "PULSE_PAPER_STRICT": "false"}
EXCHANGE = "second exchange"
_KEYS = {"KITE_API_KEY": "bench-api-key", "KITE_ACCESS_TOKEN": "bench-access-token", "KITE_API_SECRET": "bench-secret"}
_GRANTS = (
    "INSERT INTO broker_grants (broker_account, account_id, granted_by, granted_at)"
    " SELECT %s, id, 'bench', now() FROM accounts"
)


def variables(port: int) -> dict[str, str]:
    """What whoever calls brokers needs to reach the account at this port."""
    return {
        "PULSE_BROKER": ACCOUNT,
        "KITE_ROOT_URL": url_of(LOOPBACK, port),
        **_KEYS,
    }


def exchange(folder: Path, port: int) -> Program:
    """Its exchange, which has no limits and trades anything."""
    command = processes.exchange(Listen(LOOPBACK, port), str(folder / "second.sqlite"))
    return Program(
        name=EXCHANGE,
        command=processes.executable((*command, "--no-strict", "--no-limits")),
        is_ready=probes.http_ok(f"{url_of(LOOPBACK, port)}/_paper/health"),
        environment={"PYTHONPATH": str(ROOT), "PULSE_LOG_FORMAT": "json", **_KEYS},
    )


def grant_to_everybody(site: Site) -> None:
    """Let every account there is trade with it."""
    site.ask(_GRANTS, ACCOUNT)
