"""Whatever traders, the exchange, the clock and the faults do, in whatever order, the promises hold.

Hypothesis looks for a sequence that breaks one. STATEFUL_EXAMPLES and STATEFUL_STEPS make it look longer, and
STATEFUL_SEED elsewhere.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api_contract.vocabulary import AtEnd, CatchUp, HaltedWorking, Leftover, WorkingSlices
from pulse_core import config
from pulse_core.owner import OneAccount
from pulse_core.tasks import Task
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.amend import amend_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.slice.operations import resolve_slice, retry_slice
from tests.rigs.stateful.exchange import ANSWERS, FORESEEN, UNFORESEEN
from tests.rigs.stateful.world import World
from tests.support.factories import a_new_order
from tests.support.processes import wait_until

PICK = st.integers(0, 99)
SECONDS = st.sampled_from([0.5, 2, 2, 5, 5, 5, 11, 11, 31, 62, 62, 400])
# What puts a slice in doubt comes more often than the rest.
ANSWERED = st.sampled_from([*sorted(ANSWERS), "in_flight", "in_flight", "lost_after"])
READINGS = ["", "", "", "reordered", "trades_lag", "orders_down", "trades_down"]
READINGS += ["empty", "cut", "headless", "old"]
# A reading that is old by the time it is used: for resolving it would be a book that hides an order unnoticed.
OLD_READINGS = [*READINGS, "stale"]
# What may come between two looks for an order in doubt: the exchange is away while nobody looks, or somebody's reading
# of its book fails or lacks orders.
BAD = ["orders_down", "trades_down", "empty", "cut", "headless", "old"]
READERS = [Task.RESOLVE_SLICES, Task.TRACK_SLICES, Task.RECONCILE]
MET = [
    ("", ""),
    *[("away", seconds) for seconds in ("16", "31", "62")],
    *[(reader, reading) for reader in READERS for reading in BAD],
]
CANCELLED = ["", "not_sent", "lost_before", "lost_after"]
TRADERS = {
    "cancel": partial(cancel_order, actor="ann"),
    "pause": partial(pause_order, actor="ann"),
    "call_back": partial(pause_order, actor="ann", working=WorkingSlices.CANCEL),
    "resume": partial(resume_order, actor="ann"),
}


def faults(*points: str) -> list[str]:
    """Ways to come to grief at these points; a stopped worker holds no row lock."""
    open_points = [point for point in points if not point.endswith("_commit") or ".after" in point]
    dying = [f"{what}@{point}" for point in points for what in ("die", "cut")]
    return dying + [f"{what}@{point}" for point in open_points for what in ("sleep", "cut and sleep")]


def maybe(possible: list[str]) -> st.SearchStrategy[str]:
    return st.one_of(st.just(""), st.sampled_from(possible))


EXECUTE = [
    *faults("execute.before_claim", "execute.after_claim", "execute.after_turn"),
    *faults("execute.before_send", "execute.after_send", "execute.before_record_commit", "execute.after_record"),
    *faults("execute.after_unlock"),
    "cancel@execute.before_claim",
    "cancel@execute.after_claim",
    "cancel@execute.after_turn",
    "halt@execute.before_claim",
    "halt@execute.after_claim",
    "halt@execute.after_turn",
    "halt@execute.before_send",
    "nap@execute.after_claim",
    "nap@execute.after_turn",
    "nap@execute.after_turn",
    "nap@execute.after_send",
    "cut and sleep@execute.after_send",
    "cut@execute.before_record_commit",
]
SWEEPS: dict[str, tuple[list[str], list[str]]] = {
    Task.TRACK_SLICES: (OLD_READINGS, faults("track.before_commit", "track.after_commit")),
    Task.RECONCILE: (OLD_READINGS, faults("track.before_commit", "track.after_commit")),
    Task.RESOLVE_SLICES: (READINGS, faults("resolve.before_commit", "resolve.after_commit")),
    Task.EXPIRE_CLAIMS: ([""], faults("expire.before_commit", "expire.after_commit")),
    Task.CANCEL_SLICES: ([""], faults("recall.before_ask", "recall.after_ask")),
    Task.SPLIT_FORGOTTEN_ORDERS: ([""], faults("split.before_commit", "split.after_commit")),
    Task.DISPATCH_DUE_SLICES: ([""], faults("dispatch.after_commit", "dispatch.after_publish")),
    Task.REPLAN_ORDERS: ([""], [""]),
    Task.FINISH_ORDERS: ([""], [""]),
    Task.WATCH_HALTS: ([""], faults("halt.before_release")),
}
POLICIES = st.fixed_dictionaries(
    {
        "catch_up": st.sampled_from(CatchUp),
        "max_slice_multiple": st.sampled_from([1, 2, 3, 10]),
        "extend_minutes": st.sampled_from([0, 0, 2]),
        "leftover": st.sampled_from(Leftover),
        "at_end": st.sampled_from(AtEnd),
    }
)
SWEPT = st.sampled_from([*sorted(SWEEPS), Task.RESOLVE_SLICES, Task.RESOLVE_SLICES]).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(SWEEPS[name][0]), maybe(SWEEPS[name][1]))
)


class Trading(RuleBasedStateMachine):
    """Up to three small orders of one account, worked in every way that the rules know."""

    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.database_url)

    def teardown(self) -> None:
        try:
            self.world.come_to_rest()
            self.world.judge.check()
            self.world.judge.check_end()
        finally:
            self.world.close()

    @initialize(
        quantity=st.integers(3, 9),
        waited=st.sampled_from([0, 35, 62]),
        flight=st.sampled_from([*FORESEEN, FORESEEN[-1], *UNFORESEEN]),
        policy=POLICIES,
    )
    def begin_with_two_orders(
        self, quantity: int, waited: float, flight: timedelta, policy: Mapping[str, object]
    ) -> None:
        self.world.settle_on(flight)
        for key in range(2):
            self._submit_until_accepted(key, quantity, policy)
            self.split(key, "")
        self.world.advance(waited)

    @rule(
        key=st.integers(0, 2),
        quantity=st.integers(2, 9),
        splits=st.integers(2, 3),
        policy=POLICIES,
        fault=maybe(faults("intake.before_commit", "intake.after_commit", "intake.after_wakeup")),
    )
    def submit(self, key: int, quantity: int, splits: int, policy: Mapping[str, object], fault: str) -> None:
        stated = {**policy, "total_quantity": max(quantity, splits), "num_splits": splits, "duration_minutes": 1}
        new_order = a_new_order(order_unique_key=f"key-{key}", **stated)
        self.world.attempt(lambda: submit_order(self.world.account, new_order, self.now), fault)

    @precondition(lambda self: self.world.orders())
    @rule(pick=PICK, fault=maybe(faults("split.before_commit", "split.after_commit", "split.between_wakeups")))
    def split(self, pick: int, fault: str) -> None:
        order_id = self._order(pick)
        self.world.attempt(lambda: split_orders([order_id], self.now), fault)

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK, answer=ANSWERED, fault=maybe(EXECUTE), seconds=SECONDS)
    def execute_and_wait(self, pick: int, answer: str, fault: str, seconds: float) -> None:
        self.world.execute(self._due_slice(pick), answer, fault)
        self.world.advance(seconds)

    @precondition(lambda self: self.world.due_slices())
    @rule(worked=st.lists(st.tuples(ANSWERED, maybe(EXECUTE)), min_size=2, max_size=4))
    def execute_several(self, worked: list[tuple[str, str]]) -> None:
        for one, (answer, fault) in zip(self.world.due_slices(), worked, strict=False):
            self.world.execute(one["id"], answer, fault)

    @precondition(lambda self: len(self.world.due_slices()) > 1)
    @rule(answers=st.lists(ANSWERED, min_size=2, max_size=5), fault=maybe(EXECUTE), seconds=SECONDS)
    def execute_together_and_wait(self, answers: list[str], fault: str, seconds: float) -> None:
        """A batch of what is due, and of one more that need not be."""
        batch = [str(one["id"]) for one in self.world.due_slices()[: len(answers)]]
        self.world.execute_together([*batch, self._slice(len(answers))], answers, fault)
        self.world.advance(seconds)

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK)
    def execute_whatever(self, pick: int) -> None:
        self.world.execute(self._slice(pick))

    @rule(seconds=SECONDS)
    def let_time_pass(self, seconds: float) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: self.world.due_slices() or self.world.unknown())
    @rule(
        every=st.sampled_from([5, 5, 10]),
        at=st.integers(1, 12),
        met=st.sampled_from(MET),
        answer=st.sampled_from(["accept", "accept", "not_sent", "lost_before"]),
        fault=st.sampled_from(["", "nap@execute.after_turn"]),
    )
    def doubt_and_watch_and_send_again(
        self, every: float, at: int, met: tuple[str, str], answer: str, fault: str
    ) -> None:
        """A request is given up; something comes between the looks; what was written off goes out again."""
        for one, first_answer in zip(self.world.due_slices(), ("in_flight", "accept"), strict=False):
            self.world.execute(one["id"], first_answer)
        self.world.watch(every, lambda: self.world.come_between(*met), at)
        for one in self.world.due_slices():
            self.world.execute(one["id"], answer, fault)

    @precondition(lambda self: self.world.working())
    @rule(pick=PICK, fault=st.sampled_from(["", "nap@execute.after_turn"]))
    def send_again_what_the_exchange_rejects(self, pick: int, fault: str) -> None:
        row = self.world.working()[pick % len(self.world.working())]
        if row.filled_quantity:
            return
        self.world.exchange.reject(row.broker_order_id)
        self.world.sweep(Task.TRACK_SLICES)
        for one in self.world.slices():
            if one["broker_order_id"] == row.broker_order_id:
                self.world.attempt(partial(retry_slice, one["id"], "ops", self.now))
                self.world.execute(one["id"], fault=fault)

    @precondition(lambda self: self.world.exchange.book)
    @rule(pick=PICK, quantity=st.integers(1, 9), price=st.sampled_from(["2500.05", "2499.95", "2612.10"]))
    def fill(self, pick: int, quantity: int, price: str) -> None:
        self.world.fill(pick, quantity, Decimal(price))

    @precondition(lambda self: self.world.working())
    @rule(pick=PICK, is_rejected=st.booleans())
    def end_at_the_exchange(self, pick: int, is_rejected: bool) -> None:
        row = self.world.working()[pick % len(self.world.working())]
        if is_rejected and not row.filled_quantity:
            self.world.exchange.reject(row.broker_order_id)
        else:
            self.world.exchange.end(row.broker_order_id)

    @rule(swept=SWEPT, answer=st.sampled_from(CANCELLED))
    def sweep(self, swept: tuple[str, str, str], answer: str) -> None:
        name, self.world.exchange.reading, fault = swept
        self.world.exchange.cancel_answer = answer
        self.world.sweep(name, fault)

    @precondition(lambda self: self.world.orders())
    @rule(
        pick=PICK,
        wish=st.sampled_from(["cancel", "pause", "call_back", "resume", "resume"]),
        fault=maybe(faults("cancel.before_commit", "cancel.after_commit")),
    )
    def change_an_order(self, pick: int, wish: str, fault: str) -> None:
        order_id = self._order(pick)
        self.world.attempt(lambda: TRADERS[wish](OneAccount(self.world.account), order_id, now=self.now), fault)

    @rule(
        working=st.sampled_from(HaltedWorking),
        instrument=st.sampled_from([None, None, "NSE:RELIANCE", "NSE:INFY"]),
        fault=maybe(faults("halt.after_commit")),
    )
    def halt(self, working: HaltedWorking, instrument: str | None, fault: str) -> None:
        self.world.attempt(partial(self.world.halt, working, instrument), fault)

    @rule(fault=maybe([*faults("halt.release_asked", "halt.before_release"), "halt@halt.before_release"]))
    def release_halts(self, fault: str) -> None:
        self.world.release_halts(fault)

    @precondition(lambda self: self.world.orders())
    @rule(
        pick=PICK,
        total=st.integers(1, 12),
        minutes=st.sampled_from([None, None, 1, 2, 3]),
        fault=maybe(faults("amend.before_replan", "amend.before_commit", "amend.after_commit")),
    )
    def amend(self, pick: int, total: int, minutes: int | None, fault: str) -> None:
        order_id = self._order(pick)
        changes = {"total_quantity": total} | ({} if minutes is None else {"duration_minutes": minutes})
        owner = OneAccount(self.world.account)
        self.world.attempt(lambda: amend_order(owner, order_id, changes, "ann", self.now, None), fault)

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK, fault=maybe(faults("retry.before_commit", "retry.after_commit")))
    def retry(self, pick: int, fault: str) -> None:
        found = [one for one in self.world.slices() if one["status"] in ("REJECTED", "FAILED")] or self.world.slices()
        slice_id = str(found[pick % len(found)]["id"])
        self.world.attempt(lambda: retry_slice(slice_id, "ops", self.now), fault)

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK)
    def ask_the_broker_now(self, pick: int) -> None:
        slice_id = self._slice(pick)
        self.world.attempt(lambda: resolve_slice(slice_id, "ops", self.now))

    @invariant()
    def the_promises_hold(self) -> None:
        self.world.judge.check()

    @property
    def now(self) -> datetime:
        return self.world.clock.now

    def _submit_until_accepted(self, key: int, quantity: int, policy: Mapping[str, object]) -> None:
        """As a client does: a machine that stood still for a while takes nothing, and for a second knows why."""

        def is_accepted() -> bool:
            self.submit(key, quantity, 3, policy, "")
            return len(self.world.orders()) > key

        wait_until(is_accepted)

    def _order(self, pick: int) -> str:
        found = self.world.orders()
        return str(found[pick % len(found)]["id"])

    def _slice(self, pick: int) -> str:
        found = self.world.slices()
        return str(found[pick % len(found)]["id"])

    def _due_slice(self, pick: int) -> str:
        """One that may go out now; any, when there is none."""
        found = self.world.due_slices() or self.world.slices()
        return str(found[pick % len(found)]["id"])


@pytest.fixture
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few attempts, so that slices fail within the machine's short life."""
    monkeypatch.setenv("PULSE_PLACEMENT_ATTEMPTS", "3")
    config.settings.cache_clear()
    yield
    monkeypatch.undo()
    config.settings.cache_clear()


@pytest.mark.timeout(0)
@pytest.mark.usefixtures("few_attempts")
def test_any_sequence_of_events_keeps_the_promises(clean_database: str) -> None:
    Trading.database_url = clean_database
    stated = os.environ.get("STATEFUL_SEED")
    run_state_machine_as_test(
        seed(int(stated))(Trading) if stated else Trading,
        settings=settings(
            max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "50")),
            stateful_step_count=int(os.environ.get("STATEFUL_STEPS", "30")),
            derandomize=stated is None,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=[Phase.generate] if os.environ.get("STATEFUL_SHRINK") == "no" else list(Phase),
        ),
    )
