"""What a process looks at before it serves: a live account must have something to log in with."""

from api_contract.errors import ServiceUnavailable
from pulse_core import db
from pulse_core.broker_accounts import credentials
from pulse_core.broker_accounts.store import credentials as rows
from pulse_core.broker_accounts.store import states
from pulse_core.config import settings

HOW = (
    " Seal them with `pulse broker login`, started for the paper exchange (docs/broker-login.md), "
    "or set the variables to Zerodha's own."
)


def check_credentials(process: str, *, to_call_only: bool = False) -> None:
    """End a process whose orders go to a live account that nobody gave what it needs to, with a sentence.

    While the database is away it starts all the same: no order goes out before it is back.
    """
    config = settings()
    faults = config.placeholders(to_call_only=to_call_only)
    try:
        if not faults:
            _try_variables(config.broker)
            return
        if credentials.is_given(config.broker):
            return
    except ServiceUnavailable:
        return
    named = "; ".join(f"{variable} {fault}" for variable, fault in faults.items())
    raise SystemExit(f"{process} cannot start: {named}, and nothing is sealed for {config.broker}.{HOW}")


def _try_variables(account: str) -> None:
    """Whoever restarts it may have brought another token: it is tried at once."""
    with db.transaction() as session:
        if rows.newest(session, account) is None:
            states.probe_soon(session, account)
