"""What counting costs: the CPU of placing a slice with it and without it."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

from bench.context import Bench
from bench.due import accept_and_split, bring_due
from bench.figures import Figure, Reach, Row, Rule, Spread
from bench.rows.tables import Asked, milliseconds, timer
from bench.slice_timer import Counting

MOST = 1.02
_SLICES_PER_ORDER = 100
# Connections are made, statements are prepared.
_WARM_UP = 10

Medians = Mapping[Counting, float]


def measure(bench: Bench) -> Row:
    row = Row(
        "metrics",
        "CPU of placing a slice, with what is done counted and without",
        operation="slice",
        floor="the same in the same process with nothing counted, in turns",
    )
    # The timer is a process that sends, and sends nothing beside a book of orders that nobody knows.
    bench.site.open_new_ledger()
    with timer(bench.site, "bench.slice_timer") as asked:
        rounds = [_round(bench, asked, number + 1) for number in range(bench.sizes.rounds)]
    off = _spread(rounds, Counting.OFF)
    row.figures = [
        Figure(
            "CPU of placing a slice, counted", "ms", _spread(rounds, Counting.ON), off, Reach(Rule.TIMES_AT_MOST, MOST)
        ),
        Figure(
            "the same, not counted either: the error of the measure", "ms", _spread(rounds, Counting.OFF_AGAIN), off
        ),
    ]
    row.notes.append(f"medians of {bench.sizes.timed_slices} slices of each kind in a round, without Celery")
    return row


def _round(bench: Bench, asked: Asked, number: int) -> Medians:
    """Milliseconds for a slice by how it is counted."""
    bench.say(f"slices counted and not, round {number} of {bench.sizes.rounds}")
    turns = _WARM_UP + bench.sizes.timed_slices
    orders = -(-turns * len(Counting) // _SLICES_PER_ORDER)
    made = accept_and_split(bench.site, bench.tokens, orders, _SLICES_PER_ORDER)
    with bench.site.at_rest():
        bring_due(bench.site, made, datetime.now(UTC))
        rows = bench.site.ask("SELECT id FROM order_slices WHERE order_id = ANY(%s) ORDER BY random()", made)
        found = _in_turns(asked, [slice_id for (slice_id,) in rows], turns)
    bench.site.forget_orders()
    bench.site.open_new_ledger()
    return found


def _in_turns(asked: Asked, slice_ids: Sequence[str], turns: int) -> Medians:
    kinds, left = list(Counting), iter(slice_ids)
    taken: dict[Counting, list[float]] = {kind: [] for kind in kinds}
    for _ in range(turns):
        random.shuffle(kinds)
        for kind in kinds:
            taken[kind].append(milliseconds(asked, f"{kind} {next(left)}"))
    return {kind: median(of_kind[_WARM_UP:]) for kind, of_kind in taken.items()}


def _spread(rounds: Sequence[Medians], kind: Counting) -> Spread:
    return Spread(tuple(one[kind] for one in rounds))
