"""Which faults strike when: a pure function of the seed, the length and the chosen kinds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from random import Random
from typing import Any

KILLED = (
    "worker-slices",
    "worker-control",
    "beat",
    "gapi",
    "gapi-child",
    "pulse",
    "pulse-child",
    "redis",
    "postgres",
    "postgres-backend",
    "exchange",
)
STOPPED = ("worker-slices", "worker-control", "beat", "gapi", "pulse", "redis", "postgres", "exchange")
PROCESS_FAULTS = (*(f"kill-{name}" for name in KILLED), *(f"stop-{name}" for name in STOPPED))
MESSAGE_FAULTS = ("flushall", "second-beat", "replay")
# Seconds are from-to. The slow ones outlast BROKER_TIMEOUT; none outlasts SETTLE_DELAY.
EXCHANGE_FAULTS: dict[str, tuple[float, float]] = {
    "ack_lost": (0, 0),
    "error_before": (0, 0),
    "error_after": (0, 0),
    "lost_before": (0, 0),
    "unreadable": (0, 0),
    "rate_limited": (0, 0),
    "refuse": (0, 0),
    "slow": (2.2, 3.5),
    "slow_accept": (0.5, 3),
    "reject": (0, 0),
    "partial_fill": (0, 0),
    "open_pending": (0.5, 9),
    "late_fill": (0.2, 3),
    "book_delay": (0.5, 3),
    "book_down": (0, 0),
    "cancel_down": (0, 0),
    "cancel_lost": (0, 0),
    "postback_duplicated": (0, 0),
    "postback_reordered": (0.2, 2),
    "postback_lost": (0, 0),
}
ALL = (*PROCESS_FAULTS, *MESSAGE_FAULTS, *(f"exchange-{name}" for name in EXCHANGE_FAULTS))

SECONDS_PER_PROCESS_FAULT = 4.5
SECONDS_PER_MESSAGE_FAULT = 6.0
SECONDS_PER_WEATHER = 6.0
RULES_AT_ONCE = 5
SHORT_STOP, LONG_STOP = (0.5, 4.0), (7.0, 11.0)


@dataclass(frozen=True)
class Fault:
    """`at` counts from the start of the run, `seconds` is how long it lasts, `draw` picks among what is there."""

    at: float
    kind: str
    seconds: float = 0.0
    draw: float = 0.0
    rules: tuple[dict[str, Any], ...] = field(default=(), hash=False)


def kinds(patterns: str) -> tuple[str, ...]:
    """The kinds that match one of the comma-separated patterns (`kill-*,flushall`). Raises ValueError."""
    wanted = [pattern.strip() for pattern in patterns.split(",")]
    for pattern in wanted:
        if pattern != "none" and not any(fnmatch(kind, pattern) for kind in ALL):
            raise ValueError(f"no fault matches {pattern!r}; there are {', '.join(ALL)}")
    return tuple(kind for kind in ALL if any(fnmatch(kind, pattern) for pattern in wanted))


def make_plan(seed: int, seconds: float, chosen: Sequence[str]) -> tuple[Fault, ...]:
    """All faults of a run in the order of their time; each has ended by `seconds`."""
    random = Random(f"faults {seed}")
    processes = [kind for kind in chosen if kind in PROCESS_FAULTS]
    messages = [kind for kind in chosen if kind in MESSAGE_FAULTS]
    faults = [
        *_spread(random, processes, seconds, SECONDS_PER_PROCESS_FAULT),
        *_spread(random, messages, seconds, SECONDS_PER_MESSAGE_FAULT),
        *_weather(random, [kind for kind in chosen if kind.startswith("exchange-")], seconds),
    ]
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _spread(random: Random, chosen: list[str], seconds: float, every: float) -> list[Fault]:
    """Random instants; each kind comes before any kind comes again."""
    faults: list[Fault] = []
    waiting: list[str] = []
    for _ in range(round(seconds / every) if chosen else 0):
        waiting = waiting or random.sample(chosen, len(chosen))
        kind = waiting.pop()
        length = _length(random, kind)
        faults.append(Fault(random.uniform(1, max(seconds - length, 1)), kind, length, random.random()))
    return faults


def _length(random: Random, kind: str) -> float:
    if kind == "second-beat":
        return random.uniform(5, 10)
    if not kind.startswith("stop-"):
        return 0.0
    return random.uniform(*random.choice((SHORT_STOP, SHORT_STOP, LONG_STOP)))


def _weather(random: Random, chosen: list[str], seconds: float) -> list[Fault]:
    if not chosen:
        return []
    starts = [index * SECONDS_PER_WEATHER for index in range(int(seconds / SECONDS_PER_WEATHER))]
    return [Fault(at, "exchange", rules=_rules(random, chosen)) for at in starts]


def _rules(random: Random, chosen: list[str]) -> tuple[dict[str, Any], ...]:
    picked = random.sample(chosen, min(RULES_AT_ONCE, len(chosen)))
    names = [kind.removeprefix("exchange-") for kind in picked]
    return tuple(
        {
            "fault": name,
            "probability": round(random.uniform(0.05, 0.3), 3),
            "seconds": round(random.uniform(*EXCHANGE_FAULTS[name]), 3),
            "fraction": round(random.random(), 3),
            "status": random.choice((500, 502, 503, 504)),
        }
        for name in names
    )
