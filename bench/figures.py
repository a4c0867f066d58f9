"""What was measured, in numbers: spreads over the runs, ratios to the floor, and whether a reach was met."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from statistics import correlation, mean, median
from typing import Any


@dataclass(frozen=True)
class Spread:
    """One figure over several runs."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.runs)

    @property
    def low(self) -> float:
        return min(self.runs)

    @property
    def high(self) -> float:
        return max(self.runs)

    def per(self, floor: "Spread") -> "Spread":
        """The ratio of each run to the floor's run beside it: what the machine did to both cancels out."""
        pairs = zip(self.runs, floor.runs, strict=False)
        return Spread(tuple(mine / theirs for mine, theirs in pairs if theirs))


class Rule(StrEnum):
    """How a figure is compared."""

    TIMES_AT_LEAST = "at least {} x floor"
    TIMES_AT_MOST = "at most {} x floor"
    ABOVE_AT_MOST = "at most floor + {}"
    AT_MOST = "at most {}"


@dataclass(frozen=True)
class Reach:
    """What is aimed at."""

    rule: Rule
    number: float

    @property
    def text(self) -> str:
        return self.rule.format(f"{self.number:g}")

    def is_met(self, product: Spread, floor: Spread | None) -> bool | None:
        """None where there is nothing to compare with."""
        if self.rule is Rule.AT_MOST:
            return product.median <= self.number
        if floor is None:
            return None
        if self.rule is Rule.ABOVE_AT_MOST:
            return product.median <= floor.median + self.number
        ratio = product.per(floor)
        if not ratio.runs:
            return None
        return ratio.median >= self.number if self.rule is Rule.TIMES_AT_LEAST else ratio.median <= self.number


@dataclass(frozen=True)
class Figure:
    """One line of the table: the product beside its floor."""

    name: str
    unit: str
    product: Spread
    floor: Spread | None = None
    reach: Reach | None = None

    def as_json(self) -> dict[str, Any]:
        ratio = self.product.per(self.floor) if self.floor else None
        return {
            "name": self.name,
            "unit": self.unit,
            "product": spread_json(self.product),
            "floor": spread_json(self.floor),
            "ratio": spread_json(ratio if ratio and ratio.runs else None),
            "reach": self.reach.text if self.reach else None,
            "is_reached": self.reach.is_met(self.product, self.floor) if self.reach else None,
            "runs": len(self.product.runs),
        }


@dataclass
class Row:
    """A row of the benchmark. `cpu_ms` is the CPU time for each operation, by side and process."""

    key: str
    title: str
    operation: str
    floor: str
    figures: list[Figure] = field(default_factory=list)
    cpu_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        plain = {name: value for name, value in asdict(self).items() if name != "figures"}
        return plain | {"figures": [one.as_json() for one in self.figures]}


def spread_json(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    runs = [significant(one) for one in spread.runs]
    middle, low, high = (significant(one) for one in (spread.median, spread.low, spread.high))
    return {"median": middle, "min": low, "max": high, "runs": runs}


def significant(value: float) -> float:
    """Rounded to four digits that mean something."""
    return float(f"{value:.4g}")


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which `part` (0 to 1) of all values lie, by the nearest rank."""
    if not values:
        msg = "nothing was measured"
        raise ValueError(msg)
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def quantiles(runs: Sequence[Sequence[float]], part: float) -> Spread:
    """The same of each run."""
    return Spread(tuple(quantile(one, part) for one in runs))


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's coefficient: 1 for two that put things into the same order, -1 for opposite ones, near 0 by chance."""
    return correlation(_ranks(first), _ranks(second))


def busiest(instants: Sequence[float], seconds: int) -> int:
    """The most instants (seconds since the epoch) in one calendar window of so many seconds."""
    return max(Counter(int(one) // seconds for one in instants).values(), default=0)


def single(value: float) -> Spread:
    """Of something that is measured once."""
    return Spread((value,))


def median_by_name(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each name over the runs, rounded; names that one run lacks count as zero there."""
    names = sorted({name for run in runs for name in run})
    return {name: significant(median(run.get(name, 0.0) for run in runs)) for name in names}


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each value among all; equal ones share the middle of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [mean(places[value]) for value in values]
