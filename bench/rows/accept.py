"""Accepted orders a second, and the CPU time that each of them takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.clients import load_orders, tomorrow
from bench.context import Bench
from bench.cpu import cpu_taken
from bench.figures import Figure, Reach, Row, Rule, Spread, median_by_name, significant
from bench.statements import counted

CLIENTS = 32
ACCEPTING = ("gapi", "pulse", "postgres", "redis")
BESIDE_KEPT = "beside a floor that keeps its connections"
_SPLITTING = "orders accepted while workers split them"
_CPU = "CPU per order, of gapi, pulse, Postgres and Redis"
_GENERATOR = "load generator"
_WARM_UP_SECONDS = 1.5
_COUNTED_ORDERS = 100


def measure(bench: Bench) -> Row:
    row = Row(
        "accept",
        f"Orders accepted through gapi and pulse, {CLIENTS} clients, unique keys, synchronous_commit on",
        operation="accepted order",
        floor="the same server forwarding a JSON POST with requests.post from one bare Flask app to another",
    )
    with bench.site.at_rest():
        _warm_up(bench)
        sides = in_turns(bench, CLIENTS)
        _count_statements(bench, row)
    whole, whole_kept = _whole_stack(bench)
    product, floor, kept = sides.product, sides.floor, sides.kept
    row.figures += [
        Figure(f"{_SPLITTING}, {BESIDE_KEPT}", "1/s", rates(whole), rates(whole_kept)),
        Figure(f"CPU per order, all processes, {_SPLITTING}", "ms", costs(whole), costs(whole_kept)),
        Figure(f"orders accepted, {BESIDE_KEPT}", "1/s", rates(product), rates(kept)),
        Figure("orders accepted", "1/s", rates(product), rates(floor), Reach(Rule.TIMES_AT_LEAST, 0.75)),
        Figure(f"{_CPU}, {BESIDE_KEPT}", "ms", costs(product, ACCEPTING), costs(kept)),
        Figure(_CPU, "ms", costs(product, ACCEPTING), costs(floor), Reach(Rule.TIMES_AT_MOST, 1.5)),
    ]
    row.cpu_ms = sides.cpu_ms() | {"product, workers splitting": cpu_of(whole)}
    row.notes += [_durability(bench), _share_of_generator(product + floor)]
    return row


class Load:
    """One load on one port, with the CPU time that each process took for each request."""

    def __init__(
        self,
        bench: Bench,
        port: int,
        pids: Mapping[str, int],
        clients: int = CLIENTS,
        tokens: Sequence[str] = (),
        **order: Any,
    ) -> None:
        with cpu_taken(pids) as taken:
            self.seen = load_orders(port, tokens or bench.tokens, clients, bench.sizes.load_seconds, **order)
        count = len(self.seen.latencies)
        self.rate = count / self.seen.elapsed
        self.cpu_ms = {name: seconds * 1000 / count for name, seconds in taken.items()}
        self.cpu_ms[_GENERATOR] = self.seen.cpu_seconds * 1000 / count


@dataclass
class Sides:
    """The loads of one row, those of one round side by side."""

    product: list[Load] = field(default_factory=list)
    floor: list[Load] = field(default_factory=list)
    kept: list[Load] = field(default_factory=list)

    def cpu_ms(self) -> dict[str, dict[str, float]]:
        """By side and process."""
        return {"product": cpu_of(self.product), "floor": cpu_of(self.floor), "kept floor": cpu_of(self.kept)}


def in_turns(bench: Bench, clients: int) -> Sides:
    """Load floor, product and the other floor, again and again."""
    sides, floor, site = Sides(), bench.http_floor, bench.site
    for number in range(bench.sizes.rounds):
        bench.say(f"{clients} clients, round {number + 1} of {bench.sizes.rounds}")
        sides.floor.append(Load(bench, floor.port, floor.pids(), clients))
        sides.product.append(Load(bench, site.gapi_port, site.pids(), clients))
        sides.kept.append(Load(bench, floor.kept_port, floor.kept_pids(), clients))
        site.forget_orders()
    return sides


def rates(loads: list[Load]) -> Spread:
    return Spread(tuple(one.rate for one in loads))


def costs(loads: list[Load], names: tuple[str, ...] = ()) -> Spread:
    """CPU milliseconds for each request, of these processes or of all but the generator."""
    return Spread(tuple(sum(one.cpu_ms[name] for name in names or one.cpu_ms.keys() - {_GENERATOR}) for one in loads))


def cpu_of(loads: list[Load]) -> dict[str, float]:
    return median_by_name([one.cpu_ms for one in loads])


def _warm_up(bench: Bench) -> None:
    for port in (bench.http_floor.port, bench.http_floor.kept_port, bench.site.gapi_port):
        load_orders(port, bench.tokens, CLIENTS, _WARM_UP_SECONDS)
    bench.site.forget_orders()


def _count_statements(bench: Bench, row: Row) -> None:
    with counted(bench.site) as statements:
        load_orders(bench.site.gapi_port, bench.tokens, 4, 30, most=_COUNTED_ORDERS)
    bench.site.forget_orders()
    row.details["statements per order"] = statements.per(_COUNTED_ORDERS)
    row.notes.append(
        f"{statements.total / _COUNTED_ORDERS:.2f} statements and {statements.transactions / _COUNTED_ORDERS:.2f} "
        "more that commit, for each order, with those of the gateway's polls"
    )


def _whole_stack(bench: Bench) -> tuple[list[Load], list[Load]]:
    """The same with workers that split what was accepted, and beside it the floor that keeps connections."""
    loads, kept, floor = [], [], bench.http_floor
    # Tomorrow's slices: none comes due.
    for number in range(bench.sizes.rounds):
        bench.say(f"{CLIENTS} clients and workers that split, round {number + 1} of {bench.sizes.rounds}")
        with bench.site.at_rest():
            kept.append(Load(bench, floor.kept_port, floor.kept_pids()))
        loads.append(Load(bench, bench.site.gapi_port, bench.site.pids(), start_at=tomorrow()))
        bench.site.forget_orders()
    return loads, kept


def _durability(bench: Bench) -> str:
    settings = ("synchronous_commit", "fsync", "full_page_writes")
    found = bench.site.ask("SELECT name || ' ' || setting FROM pg_settings WHERE name = ANY(%s)", list(settings))
    return f"the server's settings: {', '.join(sorted(setting for (setting,) in found))}"


def _share_of_generator(loads: list[Load]) -> str:
    shares = [one.seen.cpu_seconds / one.seen.elapsed for one in loads]
    return f"the load generator took {significant(max(shares) * 100):g} % of one core at most, not counted above"
