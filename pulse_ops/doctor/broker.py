"""Whether the broker takes what we send: by what it said to the workers, and by its book where our keys are known."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pulse_core.brokers.port import TOKEN_ENDED, BookUnavailable
from pulse_ops.doctor.findings import Finding, Trouble, fine, wrong

PATIENCE = 5.0
_TOKEN_DEAD = TOKEN_ENDED

_ANSWERS = """
SELECT count(*) FILTER (WHERE recent.outcome = 'REFUSED'), count(*),
       max(slice.error_code || ', ' || slice.error_message) FILTER (WHERE recent.outcome = 'REFUSED'),
       bool_or(slice.error_code = 'TOKEN_ENDED' AND recent.outcome = 'REFUSED')
  FROM (SELECT slice_id, outcome FROM placements
         WHERE claimed_at > clock_timestamp() - interval '10 minutes' AND outcome IN ('REFUSED', 'ACKNOWLEDGED')
         ORDER BY claimed_at DESC LIMIT 200) recent
  JOIN order_slices slice ON slice.id = recent.slice_id
"""

_LOGINS = """
SELECT account.name, account.state, account.reason, newest.broker_user, newest.valid_until
  FROM broker_accounts account
  LEFT JOIN LATERAL (SELECT version, broker_user, valid_until FROM broker_credentials
                      WHERE broker_account = account.name ORDER BY version DESC LIMIT 1) newest ON true
 WHERE newest.version IS NOT NULL OR (account.is_live AND account.state = 'READY')
    OR EXISTS (SELECT FROM orders WHERE broker = account.name
                AND status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING'))
 ORDER BY account.name
"""
_SEALED = "SELECT EXISTS (SELECT FROM broker_credentials WHERE broker_account = %s)"


@dataclass(frozen=True)
class BrokerLogin:
    """Who is logged in for a broker account, and until when, as far as is known."""

    name: str
    state: str
    reason: str | None
    broker_user: str | None
    valid_until: datetime | None

    @property
    def words(self) -> str:
        """The same for a person."""
        user = f" as {self.broker_user}" if self.broker_user else ""
        until = f" until {self.valid_until:%Y-%m-%d %H:%M}Z" if self.valid_until else ""
        return f"{self.state}{user}{until}"


def read_logins(cursor: Any) -> Sequence[BrokerLogin]:
    """Of accounts that were logged in, that are live and ready, or that have open orders: the others are not used."""
    cursor.execute("SET TIME ZONE 'UTC'")
    cursor.execute(_LOGINS)
    return [BrokerLogin(*row) for row in cursor.fetchall()]


def are_sealed(cursor: Any, account: str) -> bool:
    """Whether the keys of an environment do not count for this account, as it has credentials of its own."""
    cursor.execute(_SEALED, (account,))
    return bool(cursor.fetchone()[0])


def takes_slices(cursor: Any) -> Iterator[Finding]:
    """What it answered to the slices of the last ten minutes, the latest 200 of them."""
    cursor.execute(_ANSWERS)
    refused, answered, reason, is_token_dead = cursor.fetchone()
    if refused * 2 <= answered:
        yield fine("broker's answers", f"{answered - refused} slices taken and {refused} refused in ten minutes")
        return
    trouble = Trouble.BROKER_TOKEN_DEAD if is_token_dead else Trouble.BROKER_REFUSES
    yield wrong(
        "broker's answers", trouble, f"{refused} of {answered} slices refused in ten minutes, one with {reason}"
    )


def are_logged_in(cursor: Any) -> Iterator[Finding]:
    """Who is logged in for each broker account that can be traded with, and until when."""
    for one in read_logins(cursor):
        if one.state == "READY":
            yield fine(f"broker account {one.name}", one.words)


def shows_its_book(environment: Mapping[str, str], is_sealed: bool) -> Iterator[Finding]:
    """Asked with the keys of Kite in this environment; where none count, what the workers were told has to do."""
    if is_sealed:
        return
    broker = environment.get("PULSE_BROKER", "paper")
    roots = {"paper": environment.get("PULSE_PAPER_EXCHANGE_URL"), "zerodha": _kite(environment)}
    root = roots.get(broker)
    if root is None:
        return
    try:
        _connect(broker, root, environment).order_book()
    except BookUnavailable as error:
        trouble = Trouble.BROKER_TOKEN_DEAD if error.code == _TOKEN_DEAD else Trouble.BROKER_AWAY
        yield wrong("broker", trouble, f"{error.code}, {error.message}")
    else:
        yield fine("broker", "shows its order book")


def _kite(environment: Mapping[str, str]) -> str | None:
    known = environment.get("KITE_API_KEY") and environment.get("KITE_ACCESS_TOKEN")
    return environment.get("KITE_ROOT_URL", "https://api.kite.trade") if known else None


def _connect(broker: str, root: str, environment: Mapping[str, str]) -> Any:
    # Imported here: the client brings a websocket stack along.
    from pulse_core.brokers.zerodha.broker import ZerodhaBroker

    key, token = environment.get("KITE_API_KEY", "paper"), environment.get("KITE_ACCESS_TOKEN", "paper")
    return ZerodhaBroker(name=broker, root=root, api_key=key, access_token=token, timeout=PATIENCE)
