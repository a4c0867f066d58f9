"""Whether the broker takes what we send: by what it said to the workers, and by its book where our keys are known."""

from collections.abc import Iterator, Mapping
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


def shows_its_book(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Asked with the keys of this environment; where it names no broker, what the workers were told has to do."""
    broker = environment.get("PULSE_BROKER", "paper")
    root = environment.get("PULSE_PAPER_EXCHANGE_URL") if broker == "paper" else _kite(environment)
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
