"""Judge Pulse from outside: the database against the broker's own account of what happened.

Shares no rule, query or table with the code that trades: what it knows of the promises stands in here.
"""

from collections.abc import Callable, Iterable, Sequence

from pulse_ops.verify import amendments, doubts, histories, pacing, placing, shares_and_prices
from pulse_ops.verify.facts import Facts
from pulse_ops.verify.violation import Violation

PROMISES: Sequence[Callable[[Facts], Iterable[Violation]]] = (
    placing.one_live_order,
    placing.never_over_quantity,
    placing.sent_once,
    placing.placed_at_its_broker,
    placing.every_broker_order_known,
    doubts.presumed_absent_rightly,
    doubts.nothing_sent_beside_a_known_attempt,
    placing.never_early,
    placing.nothing_under_a_halt,
    placing.nothing_after_the_end,
    pacing.no_bursts,
    amendments.amended_within_bounds,
    shares_and_prices.quantities_add_up,
    shares_and_prices.fills_agree,
    shares_and_prices.prices_agree,
    histories.legal_history,
    histories.statuses_agree,
    histories.nothing_sent_while_held,
    histories.nothing_forgotten,
)


def broken_promises(facts: Facts) -> list[Violation]:
    """Every violation of every promise."""
    return [violation for promise in PROMISES for violation in promise(facts)]


def names() -> list[str]:
    """The promises, as violations name them."""
    return [promise.__name__.replace("_", "-") for promise in PROMISES]
