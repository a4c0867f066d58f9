"""Whatever traders, the exchange, the clock and the faults do, in whatever order, the promises hold.

Hypothesis looks for a sequence that breaks one. STATEFUL_EXAMPLES and STATEFUL_STEPS make it look longer, and
STATEFUL_SEED elsewhere.
"""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pulse_core import config
from pulse_core.brokers.base import BrokerOrder
from pulse_core.services.cancel import cancel_order
from pulse_core.services.intake import submit_order
from pulse_core.services.pause import pause_order, resume_order
from pulse_core.services.retry import resolve_slice, retry_slice
from pulse_core.services.split import split_order
from tests.factories import a_new_order
from tests.stateful.exchange import ANSWERS
from tests.stateful.world import World

PICK = st.integers(0, 99)
PRICES = st.sampled_from(["2500.05", "2499.95", "2612.10"])
SECONDS = st.sampled_from([0.5, 2, 5, 11, 31, 62, 400])
TRACKED = st.sampled_from(["", "", "stale", "reordered", "trades_lag", "orders_down", "trades_down"])
RESOLVED = st.sampled_from(["", "", "reordered", "trades_lag", "orders_down", "trades_down"])
CANCELLED = st.sampled_from(["", "not_sent", "lost_before", "lost_after"])


def faults(*points: str) -> st.SearchStrategy[str]:
    """None, or one of the ways to come to grief at one of the points; a stopped worker holds no row lock."""
    open_points = [point for point in points if not point.endswith("_commit") or ".after" in point]
    dying = [f"{what}@{point}" for point in points for what in ("die", "cut")]
    sleeping = [f"{what}@{point}" for point in open_points for what in ("sleep", "cut and sleep")]
    return st.one_of(st.just(""), st.just(""), st.sampled_from(dying + sleeping))


EXECUTE = faults(
    "execute.before_claim", "execute.before_claim_commit", "execute.after_claim", "execute.after_turn",
    "execute.before_send", "execute.after_send", "execute.before_record_commit", "execute.after_record",
    "execute.after_unlock",
)  # fmt: skip


class Trading(RuleBasedStateMachine):
    """Up to three small orders of one account, worked in every way that the rules know."""

    database_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.database_url)
        self.submit(0, 6, 2, "")

    def teardown(self) -> None:
        try:
            self.world.come_to_rest()
            self.world.judge.check()
            self.world.judge.check_end()
        finally:
            self.world.close()

    @rule(
        key=st.integers(0, 2),
        quantity=st.integers(2, 9),
        splits=st.integers(2, 3),
        fault=faults("intake.before_commit", "intake.after_commit", "intake.after_wakeup"),
    )
    def submit(self, key: int, quantity: int, splits: int, fault: str) -> None:
        stated = {"total_quantity": max(quantity, splits), "num_splits": splits, "duration_minutes": 1}
        new_order = a_new_order(order_unique_key=f"key-{key}", **stated)
        self.world.attempt(lambda: submit_order(self.world.account, new_order, self.now), fault)

    @precondition(lambda self: self.world.orders())
    @rule(pick=PICK, fault=faults("split.before_commit", "split.after_commit", "split.between_wakeups"))
    def split(self, pick: int, fault: str) -> None:
        order_id = self._order(pick)
        self.world.attempt(lambda: split_order(order_id, self.now), fault)

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK, answer=st.sampled_from(sorted(ANSWERS)), fault=EXECUTE)
    def execute(self, pick: int, answer: str, fault: str) -> None:
        self.world.execute(self._slice(pick), answer, fault)

    @rule(seconds=SECONDS)
    def let_time_pass(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule()
    def let_requests_arrive(self) -> None:
        self.world.exchange.deliver()

    @precondition(lambda self: self.world.working())
    @rule(pick=PICK, quantity=st.integers(1, 9), price=PRICES)
    def fill(self, pick: int, quantity: int, price: str) -> None:
        self._fill(self.world.working(), pick, quantity, price)

    @precondition(lambda self: self.world.cancelled_with_a_rest())
    @rule(pick=PICK, quantity=st.integers(1, 2), price=PRICES)
    def fill_late(self, pick: int, quantity: int, price: str) -> None:
        self._fill(self.world.cancelled_with_a_rest(), pick, quantity, price)

    @precondition(lambda self: self.world.working())
    @rule(pick=PICK, is_rejected=st.booleans())
    def end_at_the_exchange(self, pick: int, is_rejected: bool) -> None:
        row = self.world.working()[pick % len(self.world.working())]
        if is_rejected and not row.filled_quantity:
            self.world.exchange.reject(row.broker_order_id)
        else:
            self.world.exchange.end(row.broker_order_id)

    @rule(reading=TRACKED, fault=faults("track.before_commit", "track.after_commit"))
    def track(self, reading: str, fault: str) -> None:
        self.world.exchange.reading = reading
        self.world.sweep("pulse.track_slices", fault)

    @rule(reading=TRACKED)
    def reconcile(self, reading: str) -> None:
        self.world.exchange.reading = reading
        self.world.sweep("pulse.reconcile")

    @rule(reading=RESOLVED, fault=faults("resolve.before_commit", "resolve.after_commit"))
    def resolve(self, reading: str, fault: str) -> None:
        self.world.exchange.reading = reading
        self.world.sweep("pulse.resolve_slices", fault)

    @rule(fault=faults("expire.before_commit", "expire.after_commit"))
    def expire(self, fault: str) -> None:
        self.world.sweep("pulse.expire_claims", fault)

    @rule(answer=CANCELLED, fault=faults("recall.before_ask", "recall.after_ask"))
    def recall(self, answer: str, fault: str) -> None:
        self.world.exchange.cancel_answer = answer
        self.world.sweep("pulse.cancel_slices", fault)

    @rule(name=st.sampled_from(["pulse.dispatch_due_slices", "pulse.split_forgotten_orders", "pulse.finish_orders"]))
    def sweep(self, name: str) -> None:
        self.world.sweep(name)

    @precondition(lambda self: self.world.orders())
    @rule(pick=PICK, fault=faults("cancel.before_commit", "cancel.after_commit"))
    def cancel(self, pick: int, fault: str) -> None:
        order_id = self._order(pick)
        self.world.attempt(lambda: cancel_order(self.world.account, order_id, self.now), fault)

    @precondition(lambda self: self.world.orders())
    @rule(pick=PICK, change=st.sampled_from([pause_order, resume_order]))
    def pause_or_resume(self, pick: int, change: Callable[[str, str, str, datetime], object]) -> None:
        order_id = self._order(pick)
        self.world.attempt(lambda: change(self.world.account, order_id, "a trader", self.now))

    @precondition(lambda self: self.world.slices())
    @rule(pick=PICK, fault=faults("retry.before_commit", "retry.after_commit"))
    def retry(self, pick: int, fault: str) -> None:
        slice_id = self._slice(pick)
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

    def _order(self, pick: int) -> str:
        found = self.world.orders()
        return str(found[pick % len(found)]["id"])

    def _slice(self, pick: int) -> str:
        found = self.world.slices()
        return str(found[pick % len(found)]["id"])

    def _fill(self, rows: list[BrokerOrder], pick: int, quantity: int, price: str) -> None:
        row = rows[pick % len(rows)]
        traded = min(quantity, row.quantity - row.filled_quantity)
        self.world.exchange.fill(row.broker_order_id, traded, Decimal(price))


@pytest.fixture
def few_attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few attempts, so that slices fail within the machine's short life."""
    monkeypatch.setenv("PLACEMENT_ATTEMPTS", "3")
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
            max_examples=int(os.environ.get("STATEFUL_EXAMPLES", "40")),
            stateful_step_count=int(os.environ.get("STATEFUL_STEPS", "40")),
            derandomize=stated is None,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            phases=[Phase.generate] if os.environ.get("STATEFUL_SHRINK") == "no" else list(Phase),
        ),
    )
