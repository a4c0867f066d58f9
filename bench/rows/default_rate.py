"""More slices due than the account may send: who goes first, what waiting costs, and what another trader notices."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import median

from bench.arrivals import arrivals, sent_slices
from bench.clients import Client, tomorrow
from bench.context import Bench
from bench.cpu import cpu_taken, per_operation
from bench.due import UNFINISHED, UNRECORDED, UNSPLIT, accept_and_split, bring_due, sleep_until, soon, wait_until_none
from bench.figures import Figure, Row, busiest, rank_correlation, single
from bench.stack import Site
from bench.written import written
from pulse_ops.stack import processes

SLICES_PER_ORDER = 20
# What comes due within a second takes much longer to go out: everything waits, and its order is known.
_SPACING_SECONDS = 0.005
_OTHERS_SLICES, _OTHERS_SPACING_SECONDS = 5, 1.0
_CROWD_ACCOUNTS = 4
_PATIENCE_SECONDS = 1500.0


@dataclass(frozen=True)
class Waited:
    """A crowd of slices that waited for their turn, those of the other trader among them; `other_ms` are his delays."""

    slices: int
    seconds: float
    attempts: int
    filled: int
    events: int
    wal_bytes: int
    too_many: int
    busiest_second: int
    busiest_minute: int
    in_due_order: float
    other_ms: Sequence[float]
    cpu_ms: dict[str, float]


def measure(bench: Bench) -> Row:
    row = _row("default_rate", "Slices that wait for the default rate of 10 orders a second, one worker for slices")
    with bench.site_at_default_rate() as site:
        alone = _alone(site)
        for waiting in bench.sizes.waiting:
            _add(bench, row, site, f"{waiting:,} waiting", 1, waiting, alone)
    return row


def measure_workers(bench: Bench) -> Row:
    """The smallest crowd, before more workers for slices."""
    waiting = bench.sizes.waiting[0]
    row = _row("slice_workers", f"{waiting:,} slices that wait for the default rate, by workers for slices")
    with bench.site_at_default_rate() as site:
        alone = _alone(site)
        for workers in bench.sizes.slice_workers:
            with site.more_workers([processes.WORKER_SLICES], workers - 1) if workers > 1 else nullcontext():
                _add(bench, row, site, f"{workers} worker{'s' if workers > 1 else ''}", workers, waiting, alone)
    return row


def _row(key: str, title: str) -> Row:
    row = Row(key, title, operation="slice", floor="for another trader's slices: alone on the same stack")
    row.notes += [
        f"orders of {SLICES_PER_ORDER} slices of {_CROWD_ACCOUNTS} accounts, one slice due every "
        f"{_SPACING_SECONDS * 1000:g} ms; CPU, events and WAL from then on until every order is done",
        f"the other trader has {_OTHERS_SLICES} slices, one every {_OTHERS_SPACING_SECONDS:g} s from that instant on",
        "in due order: 1 if slices arrive in the order in which they come due, 0 if by chance",
        "attempts, events and WAL count all slices; events are also those of the orders' acceptance",
    ]
    return row


def _add(bench: Bench, row: Row, site: Site, case: str, workers: int, waiting: int, alone: Sequence[float]) -> None:
    bench.say(f"default rate, {waiting:,} waiting, workers for slices: {workers}")
    waited = _wait(site, waiting)
    row.figures += [Figure(f"{case}: {one.name}", one.unit, one.product, one.floor) for one in _figures(waited, alone)]
    row.cpu_ms[case] = waited.cpu_ms


def _figures(waited: Waited, alone: Sequence[float]) -> list[Figure]:
    values: list[tuple[str, str, float]] = [
        ("CPU per slice, all processes", "ms", sum(waited.cpu_ms.values())),
        ("until all are recorded", "s", waited.seconds),
        ("slices a second", "1/s", waited.slices / waited.seconds),
        ("slices filled", "", waited.filled),
        ("attempts per slice", "", waited.attempts / waited.slices),
        ("events per slice", "", waited.events / waited.slices),
        ("WAL per slice", "kB", waited.wal_bytes / 1000 / waited.slices),
        ("answers 429 of the exchange", "", waited.too_many),
        ("most orders in one second at the exchange", "", waited.busiest_second),
        ("most orders in one minute at the exchange", "", waited.busiest_minute),
        ("in due order", "", waited.in_due_order),
    ]
    figures = [Figure(name, unit, single(float(value))) for name, unit, value in values]
    for name, of in (("in the middle", median), ("the latest", max)):
        mine, theirs = single(of(waited.other_ms) / 1000), single(of(alone) / 1000)
        figures.append(Figure(f"another trader's slices after their time, {name}", "s", mine, theirs))
    return figures


def _alone(site: Site) -> list[float]:
    """Milliseconds after their time at which the other trader's slices arrive when nobody else trades."""
    (token,) = site.log_in_new_accounts(1)
    site.open_new_ledger()
    other = _place_others(site, token)
    bring_due(site, [other], soon(), _OTHERS_SPACING_SECONDS)
    wait_until_none(site, UNFINISHED)
    late = [one.late_ms for one in sent_slices(site)]
    site.forget_orders()
    return late


def _wait(site: Site, waiting: int) -> Waited:
    *crowd, token = site.log_in_new_accounts(_CROWD_ACCOUNTS + 1)
    site.open_new_ledger()
    other = _place_others(site, token)
    made = accept_and_split(site, crowd, waiting // SLICES_PER_ORDER, SLICES_PER_ORDER, _CROWD_ACCOUNTS)
    first = soon()
    bring_due(site, made, first, _SPACING_SECONDS)
    bring_due(site, [other], first, _OTHERS_SPACING_SECONDS)
    with cpu_taken(site.pids()) as taken, written(site) as wrote:
        sleep_until(first)
        recorded = wait_until_none(site, UNRECORDED, _PATIENCE_SECONDS)
        wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
    waited = _seen(site, other, recorded - first.timestamp(), wrote.wal_bytes, taken)
    site.forget_orders()
    return waited


def _seen(site: Site, other: str, seconds: float, wal_bytes: int, taken: dict[str, float]) -> Waited:
    came = arrivals(site)
    instants = [one.arrived_at.timestamp() for one in came]
    sent = sent_slices(site, is_complete=False)
    crowd = [one for one in sent if one.order_id != other]
    ((slices, attempts, filled, events),) = site.ask(
        "SELECT count(*), sum(attempts), count(*) FILTER (WHERE status = 'FILLED'),"
        " (SELECT count(*) FROM slice_events) FROM order_slices"
    )
    return Waited(
        slices=slices,
        seconds=seconds,
        attempts=int(attempts),
        filled=filled,
        events=events,
        wal_bytes=wal_bytes,
        too_many=sum(one.outcome == "RATE_LIMITED" for one in came),
        busiest_second=busiest(instants, 1),
        busiest_minute=busiest(instants, 60),
        in_due_order=rank_correlation(
            [one.scheduled_at.timestamp() for one in crowd], [one.arrived_at.timestamp() for one in crowd]
        ),
        other_ms=[one.late_ms for one in sent if one.order_id == other],
        cpu_ms=per_operation(taken, slices),
    )


def _place_others(site: Site, token: str) -> str:
    order_id = Client(site.gapi_port, token).place(num_splits=_OTHERS_SLICES, start_at=tomorrow())
    wait_until_none(site, UNSPLIT)
    return order_id
