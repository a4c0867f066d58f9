"""The scenario: which orders go wrong, and how."""

import random
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from threading import Lock
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pulse_ops.paper_exchange.checks import OrderRequest


class Stage(StrEnum):
    """Where a fault strikes. An order or request suffers one fault of each stage: the first rule that hits."""

    ENTRY = "ENTRY"
    ANSWER = "ANSWER"
    DELAY = "DELAY"
    LIFE = "LIFE"
    BOOK = "BOOK"
    POSTBACK = "POSTBACK"
    READ = "READ"
    CANCEL = "CANCEL"
    CALL = "CALL"


STAGES: Mapping[str, Stage] = MappingProxyType(
    {
        "error_before": Stage.ENTRY,
        "lost_before": Stage.ENTRY,
        "rate_limited": Stage.ENTRY,
        "refuse": Stage.ENTRY,
        "refuse_in_book": Stage.ENTRY,
        "slow_accept": Stage.ENTRY,
        "ack_lost": Stage.ANSWER,
        "error_after": Stage.ANSWER,
        "unreadable": Stage.ANSWER,
        "slow": Stage.DELAY,
        "reject": Stage.LIFE,
        "partial_fill": Stage.LIFE,
        "leave_rest": Stage.LIFE,
        "open_pending": Stage.LIFE,
        "late_fill": Stage.LIFE,
        "book_delay": Stage.BOOK,
        "postback_duplicated": Stage.POSTBACK,
        "postback_reordered": Stage.POSTBACK,
        "postback_lost": Stage.POSTBACK,
        "book_down": Stage.READ,
        "book_empty": Stage.READ,
        "book_stale": Stage.READ,
        "book_cut": Stage.READ,
        "book_foreign": Stage.READ,
        "cancel_down": Stage.CANCEL,
        "cancel_lost": Stage.CANCEL,
        "refuse_call": Stage.CALL,
    }
)

_WITHOUT_ORDER = frozenset({Stage.READ, Stage.CANCEL, Stage.CALL})


def _known_fault(name: str) -> str:
    if name not in STAGES:
        raise ValueError(f"unknown fault; known are {', '.join(STAGES)}")
    return name


class Rule(BaseModel):
    """One fault and the orders it strikes: all that match, by chance, and no more than `count`.

    Faults of READ and CANCEL strike requests, whatever order they are about; a reading of both books is two requests.
    Those of CALL strike any request of the account, placements too, before anything else is looked at.
    `seconds`, `fraction`, `status`, `error_type` and `message` say how the fault looks, where it has such a thing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Annotated[str, AfterValidator(_known_fault)]
    probability: float = Field(1.0, ge=0, le=1)
    count: int | None = Field(None, ge=0)
    tag: str | None = None
    instrument: str | None = None
    side: Literal["BUY", "SELL"] | None = None
    quantity: int | None = None
    seconds: float = Field(2.0, ge=0, le=3600)
    fraction: float = Field(0.5, ge=0, le=1)
    status: int = Field(503, ge=400, le=599)
    error_type: str = "OrderException"
    message: str = "Injected by the scenario."

    @property
    def stage(self) -> Stage:
        return STAGES[self.fault]

    def matches(self, order: OrderRequest) -> bool:
        """Whether the order is of the kind that the rule names."""
        wanted = (self.tag, self.instrument, self.side, self.quantity)
        found = (order.tag, order.instrument, order.transaction_type, order.quantity)
        return all(want is None or want == have for want, have in zip(wanted, found, strict=True))


class Scenario(BaseModel):
    """The rules in order, the seed of their chances, and how long any order takes to fill (seconds)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    fill_delay: float = Field(0.0, ge=0, le=3600)
    rules: tuple[Rule, ...] = ()


class Faults:
    """The scenario in force. `count` of its rules goes down as they hit."""

    def __init__(self, scenario: Scenario) -> None:
        self._lock = Lock()
        self._scenario = scenario
        self._requests: Counter[Stage] = Counter()

    @property
    def scenario(self) -> Scenario:
        with self._lock:
            return self._scenario

    def replace(self, scenario: Scenario) -> None:
        """Put another scenario in force."""
        with self._lock:
            self._scenario = scenario

    def for_order(self, number: int, order: OrderRequest) -> Mapping[Stage, Rule]:
        """What strikes the order that arrived as the `number`-th."""
        with self._lock:
            hits: dict[Stage, Rule] = {}
            for index, rule in enumerate(self._scenario.rules):
                is_open = rule.stage not in _WITHOUT_ORDER and rule.stage not in hits
                if is_open and rule.matches(order) and self._strikes(index, number):
                    hits[rule.stage] = rule
            return hits

    def for_request(self, stage: Stage) -> Rule | None:
        """What strikes the next request for a book (READ), for a cancellation (CANCEL), or of any kind (CALL)."""
        with self._lock:
            self._requests[stage] += 1
            for index, rule in enumerate(self._scenario.rules):
                if rule.stage is stage and self._strikes(index, self._requests[stage]):
                    return rule
            return None

    def _strikes(self, index: int, number: int) -> bool:
        rule = self._scenario.rules[index]
        # A draw for each rule and arrival: the same seed strikes the same arrivals.
        chance = random.Random(f"{self._scenario.seed}:{index}:{number}").random()  # noqa: S311
        if rule.count == 0 or chance >= rule.probability:
            return False
        if rule.count is not None:
            rules = list(self._scenario.rules)
            rules[index] = rule.model_copy(update={"count": rule.count - 1})
            self._scenario = self._scenario.model_copy(update={"rules": tuple(rules)})
        return True
