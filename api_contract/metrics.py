"""What the processes count and time, and how they tell it in the Prometheus text format.

Every metric is declared here, with the processes that serve it: docs/metrics.md lists what was declared.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Literal

from api_contract import process_group

process_group.join()

# Only now: the client decides at its import whether it counts in files.
from prometheus_client import (  # noqa: E402
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily  # noqa: E402
from prometheus_client.core import Metric as Metric  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead  # noqa: E402
from prometheus_client.registry import Collector  # noqa: E402

# They would double the number of series, to say when a process was started.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_LATEST

Collect = Callable[[], Iterable[Metric]]
# How the values of several processes of one server become one.
Mode = Literal["livesum", "livemax", "livemostrecent"]


class Process(StrEnum):
    """Who serves `/metrics`."""

    GAPI = "gapi"
    PULSE = "pulse"
    WORKER = "workers"
    BEAT = "beat"


@dataclass(frozen=True)
class Declared:
    """A metric as it stands in the docs; `name` is that of its samples."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    served_by: tuple[Process, ...]

    @property
    def help(self) -> str:
        return f"{self.meaning} Served by {', '.join(self.served_by)}."


DECLARED: dict[str, Declared] = {}


@dataclass(frozen=True)
class Family:
    """A gauge whose values are looked up when they are asked for; without a value it is absent."""

    declared: Declared

    def of(self, values: Mapping[tuple[str, ...], float]) -> Metric:
        """Its samples by the values of its labels."""
        family = GaugeMetricFamily(self.declared.name, self.declared.help, labels=self.declared.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def just(self, value: float | None) -> Metric:
        """Its one sample, of a metric without labels."""
        return self.of({} if value is None else {(): value})


def counter(name: str, meaning: str, *labels: str, by: Iterable[Process]) -> Counter:
    """A count that only grows; `_total` is added to its name."""
    return Counter(name, _declare(Declared(f"{name}_total", "counter", labels, meaning, tuple(by))).help, labels)


def histogram(
    name: str, meaning: str, *labels: str, by: Iterable[Process], buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS
) -> Histogram:
    """How often a duration lay below each of some limits, in seconds."""
    declared = _declare(Declared(name, "histogram", labels, meaning, tuple(by)))
    return Histogram(name, declared.help, labels, buckets=buckets)


def gauge(name: str, meaning: str, *labels: str, by: Iterable[Process], mode: Mode = "livesum") -> Gauge:
    """A value that a process sets."""
    declared = _declare(Declared(name, "gauge", labels, meaning, tuple(by)))
    return Gauge(name, declared.help, labels, multiprocess_mode=mode)


def family(name: str, meaning: str, *labels: str, by: Iterable[Process]) -> Family:
    """A value that is looked up when it is asked for, in a process that counts for itself."""
    return Family(_declare(Declared(name, "gauge", labels, meaning, tuple(by))))


def registry(process: Process, looked_up: Iterable[Collect] = ()) -> CollectorRegistry:
    """All that a process of this kind serves: what it has counted, and what is `looked_up` now."""
    served = CollectorRegistry()
    served.register(_Served(process, tuple(looked_up)))
    return served


def exposition(process: Process, looked_up: Iterable[Collect] = ()) -> bytes:
    """The same in the Prometheus text format."""
    return generate_latest(registry(process, looked_up))


class _Served(Collector):
    def __init__(self, process: Process, looked_up: Sequence[Collect]) -> None:
        self._process = process
        self._looked_up = looked_up

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        # First, as a look may set what is counted.
        looked_up = [family for collect in self._looked_up for family in collect()]
        return (family for family in chain(_counted(), looked_up) if self._is_served(family))

    def _is_served(self, found: Metric) -> bool:
        name = f"{found.name}_total" if found.type == "counter" else found.name
        # What the client tells of a process by itself is declared by nobody.
        return name not in DECLARED or self._process in DECLARED[name].served_by


def _counted() -> Iterable[Metric]:
    folder = process_group.folder()
    if folder is None:
        return REGISTRY.collect()
    for pid in process_group.dead(folder):
        mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    counted: Iterable[Metric] = MultiProcessCollector(None, str(folder)).collect()  # type: ignore[no-untyped-call]
    return counted


def _declare(declared: Declared) -> Declared:
    DECLARED[declared.name] = declared
    return declared
