"""Which faults strike when: a pure function of the seed, the length and the chosen kinds."""

import fnmatch
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
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
DATABASE_FAULTS = ("terminate-backends", "restart-postgres-immediate")
PROCESS_FAULTS = (
    *(f"kill-{name}" for name in KILLED),
    *(f"stop-{name}" for name in STOPPED),
    *DATABASE_FAULTS,
)
MESSAGE_FAULTS = ("flushall", "second-beat", "replay")
CLOCKS = ("worker-slices", "worker-control", "beat", "gapi", "pulse")
CLOCK_FAULTS = tuple(f"clock-{name}" for name in CLOCKS)
# How long each lasts, from-to seconds, most of them short.
PACKET_FAULTS: dict[str, tuple[float, float]] = {
    "packets-link-down": (1, 120),
    "packets-loss": (5, 20),
    "packets-loss-one-way": (5, 20),
    "packets-half-open": (15, 40),
    "packets-delay": (5, 20),
}
DAY_END = "day-end"
# Seconds are from-to. The slow ones outlast PULSE_BROKER_TIMEOUT, the slowest PULSE_SETTLE_DELAY too.
EXCHANGE_FAULTS: dict[str, tuple[float, float]] = {
    "ack_lost": (0, 0),
    "error_before": (0, 0),
    "error_after": (0, 0),
    "lost_before": (0, 0),
    "unreadable": (0, 0),
    "rate_limited": (0, 0),
    "refuse": (0, 0),
    "refuse_in_book": (0, 0),
    "slow": (2.2, 3.5),
    "slow_accept": (0.5, 60),
    "reject": (0, 0),
    "partial_fill": (0, 0),
    "open_pending": (0.5, 9),
    "late_fill": (0.2, 3),
    "book_delay": (0.5, 35),
    "book_down": (0, 0),
    "book_empty": (0, 0),
    "book_stale": (1, 35),
    "book_cut": (0, 0),
    "book_foreign": (0, 0),
    "cancel_down": (0, 0),
    "cancel_lost": (0, 0),
    "postback_duplicated": (0, 0),
    "postback_reordered": (0.2, 2),
    "postback_lost": (0, 0),
}
ALL = (
    *PROCESS_FAULTS,
    *MESSAGE_FAULTS,
    *CLOCK_FAULTS,
    *PACKET_FAULTS,
    DAY_END,
    *(f"exchange-{name}" for name in EXCHANGE_FAULTS),
)
SERVERS = ("exchange", "postgres", "redis")

SECONDS_PER_PROCESS_FAULT = 4.5
SECONDS_PER_MESSAGE_FAULT = 6.0
SECONDS_PER_CLOCK_FAULT = 15.0
SECONDS_PER_PACKET_FAULT = 12.0
SECONDS_PER_SCENARIO = 6.0
RULES_AT_ONCE = 5
SHORT_STOP, LONG_STOP = (0.5, 4.0), (7.0, 11.0)
CLOCK_OFF_FOR = (8.0, 20.0)
CLOCK_OFF_BY = 12.0
# Nothing lasts longer than this part of a run: what follows it is to be seen too.
LONGEST_PART = 0.5


@dataclass(frozen=True)
class Fault:
    """`at` counts from the start of the run, `seconds` is how long it lasts, `draw` picks among what is there.

    `rules` tell the exchange how to misbehave, `weather` the cable of the second host (`server` None: all of them).
    """

    at: float
    kind: str
    seconds: float = 0.0
    draw: float = 0.0
    rules: tuple[dict[str, Any], ...] = field(default=(), hash=False)
    server: str | None = None
    weather: dict[str, float] = field(default_factory=dict, hash=False)


def kinds(patterns: str) -> tuple[str, ...]:
    """The kinds that match one of the patterns, and none with a `!` (`kill-*,!kill-beat`). Raises ValueError."""
    given = [pattern.strip() for pattern in patterns.split(",")]
    for pattern in given:
        if pattern != "none" and not fnmatch.filter(ALL, pattern.removeprefix("!")):
            raise ValueError(f"no fault matches {pattern!r}; there are {', '.join(ALL)}")
    wanted = {kind for pattern in given if not pattern.startswith("!") for kind in fnmatch.filter(ALL, pattern)}
    unwanted = {kind for pattern in given if pattern.startswith("!") for kind in fnmatch.filter(ALL, pattern[1:])}
    return tuple(kind for kind in ALL if kind in wanted - unwanted)


def make_plan(seed: int, seconds: float, chosen: Sequence[str], room: float = 1.0) -> tuple[Fault, ...]:
    """All faults of a run in the order of their time; each has ended by `seconds`.

    With a `room` of 2 those that end processes, lose messages or packets and set clocks come half as often.
    """
    random = Random(f"faults {seed}")

    def among(kinds_of: Iterable[str]) -> list[str]:
        return [kind for kind in chosen if kind in kinds_of]

    packets = _spread(random, among(PACKET_FAULTS), seconds, SECONDS_PER_PACKET_FAULT * room)
    faults = [
        *_spread(random, among(PROCESS_FAULTS), seconds, SECONDS_PER_PROCESS_FAULT * room),
        *_spread(random, among(MESSAGE_FAULTS), seconds, SECONDS_PER_MESSAGE_FAULT * room),
        *_spread(random, among(CLOCK_FAULTS), seconds, SECONDS_PER_CLOCK_FAULT * room),
        *(_on_the_cable(random, one) for one in packets),
        *(Fault(day_end(seed, seconds), DAY_END) for _ in among((DAY_END,))),
        *_misbehaving(random, [kind for kind in chosen if kind.startswith("exchange-")], seconds),
    ]
    return tuple(sorted(faults, key=lambda fault: fault.at))


def day_end(seed: int, seconds: float) -> float:
    """When the broker's day ends in mid-run."""
    return seconds * Random(f"day {seed}").uniform(0.4, 0.6)


def _spread(random: Random, chosen: list[str], seconds: float, every: float) -> list[Fault]:
    """Random instants; each kind comes before any kind comes again."""
    faults: list[Fault] = []
    waiting: list[str] = []
    for _ in range(round(seconds / every) if chosen else 0):
        waiting = waiting or random.sample(chosen, len(chosen))
        kind = waiting.pop()
        length = min(_length(random, kind), seconds * LONGEST_PART)
        faults.append(Fault(random.uniform(1, max(seconds - length, 1)), kind, length, random.random()))
    return faults


def _length(random: Random, kind: str) -> float:
    if kind in PACKET_FAULTS:
        return _between(random, PACKET_FAULTS[kind])
    if kind in CLOCK_FAULTS:
        return random.uniform(*CLOCK_OFF_FOR)
    if kind == "second-beat":
        return random.uniform(5, 10)
    if not kind.startswith("stop-"):
        return 0.0
    return random.uniform(*random.choice((SHORT_STOP, SHORT_STOP, LONG_STOP)))


def _on_the_cable(random: Random, fault: Fault) -> Fault:
    """The fault with its weather; a host that vanishes does so for every server."""
    server = None if fault.kind == "packets-half-open" else random.choice((None, *SERVERS))
    return replace(fault, server=server, weather=_weather(random, fault.kind))


def _weather(random: Random, kind: str) -> dict[str, float]:
    if kind == "packets-delay":
        return {"delay": round(random.uniform(0.05, 1.5), 3)}
    if kind == "packets-loss":
        loss = round(random.uniform(0.05, 0.5), 3)
        return {"loss_to": loss, "loss_from": loss}
    if kind == "packets-loss-one-way":
        return {random.choice(("loss_to", "loss_from")): round(random.uniform(0.2, 1), 3)}
    return {"loss_to": 1.0, "loss_from": 1.0}


def _misbehaving(random: Random, chosen: list[str], seconds: float) -> list[Fault]:
    if not chosen:
        return []
    starts = [index * SECONDS_PER_SCENARIO for index in range(int(seconds / SECONDS_PER_SCENARIO))]
    return [Fault(at, "exchange", rules=_rules(random, chosen, seconds - at - SECONDS_PER_SCENARIO)) for at in starts]


def _rules(random: Random, chosen: list[str], left: float) -> tuple[dict[str, Any], ...]:
    """Five ways to misbehave; what they put off comes to pass in the `left` seconds of the run."""
    picked = random.sample(chosen, min(RULES_AT_ONCE, len(chosen)))
    names = [kind.removeprefix("exchange-") for kind in picked]
    return tuple(
        {
            "fault": name,
            "probability": round(random.uniform(0.05, 0.3), 3),
            "seconds": round(min(_between(random, EXCHANGE_FAULTS[name]), max(left, 0)), 3),
            "fraction": round(random.random(), 3),
            "status": random.choice((500, 502, 503, 504)),
        }
        for name in names
    )


def _between(random: Random, bounds: tuple[float, float]) -> float:
    """A length whose magnitude is even: as many from 1 to 10 s as from 10 to 100 s."""
    shortest, longest = bounds
    return math.exp(random.uniform(math.log(shortest), math.log(longest))) if shortest else 0.0
