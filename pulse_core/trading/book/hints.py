"""What postbacks hint at: taken for all that reads the account's book, and believed by nothing."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pulse_core.trading.book import look_ups, pace


@dataclass(frozen=True, order=True)
class Hint:
    """That there is news of an order at a broker account."""

    broker_account: str
    broker_order_id: str


def told(hints: Iterable[Hint]) -> str:
    """Hints as a message brings them: `paper:151220000000000,paper:151220000000001`."""
    return ",".join(f"{one.broker_account}:{one.broker_order_id}" for one in hints)


def take_hint(text: str) -> None:
    """Take what `told` wrote; without an account, as services of before wrote it, it is a hint for all."""
    hinted: dict[str | None, list[str]] = defaultdict(list)
    for one in text.split(","):
        broker_account, colon, broker_order_id = one.partition(":")
        hinted[broker_account if colon else None].append(broker_order_id if colon else one)
    for account, broker_order_ids in hinted.items():
        look_ups.looks.hint(broker_order_ids, account)
        pace.paces.hint(broker_order_ids, account)
