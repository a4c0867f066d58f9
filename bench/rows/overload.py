"""More than two cores can place for a while, then less again: how soon it is on time again, and at which cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench import desks
from bench.arrivals import Seen, Sent, arrivals, fills_seen, sent_slices
from bench.context import Bench
from bench.due import UNFINISHED, accept_and_split, bring_due, sleep_until, soon, wait_until_none
from bench.figures import Figure, Row, quantile, single
from bench.rows.steady import SEEN

_ACCOUNTS = 12
_SLICES_PER_ORDER = 20
_TRADERS = 8
_PATIENCE_SECONDS = 600.0
# Slices that are no later than this are on time again.
ON_TIME_MS = 1000.0
_IN_DOUBT = "SELECT count(*) FROM order_slices WHERE status = 'UNKNOWN'"
_EVER_IN_DOUBT = "SELECT count(DISTINCT slice_id) FROM slice_events WHERE to_status = 'UNKNOWN'"


@dataclass(frozen=True)
class Phase:
    """Slices that come due evenly from `starts` on, so many a second."""

    name: str
    rate: int
    starts: datetime
    ends: datetime

    @property
    def spacing_seconds(self) -> float:
        return 1 / self.rate

    def late_ms(self, sent: Sequence[Sent]) -> list[float]:
        """By how much each slice was late that came due in it."""
        return [one.late_ms for one in sent if self.starts <= one.scheduled_at < self.ends]

    def seen_ms(self, seen: Sequence[Seen]) -> list[float]:
        """After how long each fill was seen that was traded in it."""
        return [one.after_ms for one in seen if self.starts <= one.traded_at < self.ends]


def phases(first: datetime, rates: Sequence[tuple[str, int, float]]) -> list[Phase]:
    """One after the other from this instant on, of names, rates and seconds."""
    made: list[Phase] = []
    for name, rate, seconds in rates:
        starts = made[-1].ends if made else first
        made.append(Phase(name, rate, starts, starts + timedelta(seconds=seconds)))
    return made


def measure(bench: Bench) -> Row:
    sizes = bench.sizes
    rates = sizes.overload
    accounts = desks.names_of(_ACCOUNTS)
    row = Row(
        "overload",
        f"Slices of {_ACCOUNTS} broker accounts, limits off, with {sizes.overload_rows:,} orders in the book of each: "
        + ", ".join(f"{rate} a second for {seconds:g} s" for _name, rate, seconds in rates),
        operation="slice",
        floor="none",
    )

    with desks.site(bench, "overload", accounts, rows=sizes.overload_rows) as site:
        tokens = site.log_in_new_accounts(_TRADERS)
        each = [{"broker_account": name, "instrument": desks.INSTRUMENT} for name in accounts]
        counts = [round(rate * seconds) // _SLICES_PER_ORDER for _name, rate, seconds in rates]
        made = accept_and_split(site, tokens, sum(counts), _SLICES_PER_ORDER, _ACCOUNTS, each)
        planned = phases(soon(), rates)
        for phase, count in zip(planned, counts, strict=True):
            bring_due(site, made[:count], phase.starts, phase.spacing_seconds)
            del made[:count]
        sleep_until(planned[-1].ends)
        ((in_doubt,),) = site.ask(_IN_DOUBT)
        done_at = wait_until_none(site, UNFINISHED, _PATIENCE_SECONDS)
        row.figures = figures(planned, sent_slices(site), fills_seen(site))
        attempts = Counter(one.tag for one in arrivals(site))
        ((ever,),) = site.ask(_EVER_IN_DOUBT)
    row.figures += [
        Figure("all orders done after the end", "s", single(done_at - planned[-1].ends.timestamp())),
        Figure("slices in doubt, at the end", "", single(float(in_doubt))),
        Figure("slices in doubt, ever", "", single(float(ever))),
        Figure("client order ids that came in twice", "", single(float(sum(n > 1 for n in attempts.values())))),
    ]
    row.notes += [SEEN]
    return row


def figures(planned: Sequence[Phase], sent: Sequence[Sent], seen: Sequence[Seen]) -> list[Figure]:
    """Each phase by itself, and how long after the overload nothing is late any more."""
    told = [
        Figure(f"{phase.name}: {name}", "ms", single(value))
        for phase in planned
        for name, value in (
            ("lateness p50", quantile(phase.late_ms(sent), 0.5)),
            ("lateness p99", quantile(phase.late_ms(sent), 0.99)),
            ("latest slice", max(phase.late_ms(sent))),
            ("fill seen after p50", quantile(phase.seen_ms(seen), 0.5)),
            ("fill seen after p99", quantile(phase.seen_ms(seen), 0.99)),
        )
    ]
    return [*told, Figure("on time again after the overload", "s", single(on_time_after(planned[-1], sent)))]


def on_time_after(last: Phase, sent: Sequence[Sent]) -> float:
    """Seconds from the beginning of the last phase to the instant when nothing was late any more."""
    late = [one for one in sent if one.late_ms > ON_TIME_MS and one.arrived_at >= last.starts]
    return max(((one.arrived_at - last.starts).total_seconds() for one in late), default=0.0)
