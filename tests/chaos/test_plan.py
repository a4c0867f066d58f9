"""The plan of a run is a pure function of seed, length and faults."""

import pytest

from tests.chaos.load import intents
from tests.chaos.plan import ALL, PROCESS_FAULTS, Fault, kinds, make_plan


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan(1, 600, ALL) == make_plan(1, 600, ALL)
    assert make_plan(1, 600, ALL) != make_plan(2, 600, ALL)
    assert intents(1, 600) == intents(1, 600)
    assert intents(1, 600) != intents(2, 600)


def test_ten_minutes_hold_a_hundred_process_faults_and_two_thousand_slices() -> None:
    assert sum(fault.kind in PROCESS_FAULTS for fault in make_plan(1, 600, ALL)) >= 100
    assert sum(intent.body["split_config"]["num_splits"] for intent in intents(1, 600)) >= 2000


def test_faults_come_in_order_and_all_have_ended_when_the_time_is_up() -> None:
    plan = make_plan(3, 120, ALL)
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)
    assert all(fault.at >= 0 and fault.at + fault.seconds <= 120 for fault in plan)


def test_every_process_fault_strikes_before_any_strikes_twice_as_often() -> None:
    struck = [fault.kind for fault in make_plan(5, 600, ALL) if fault.kind in PROCESS_FAULTS]
    counts = {kind: struck.count(kind) for kind in PROCESS_FAULTS}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_patterns_choose_the_faults() -> None:
    assert kinds("kill-*,flushall") == (*PROCESS_FAULTS[:11], "flushall")
    assert kinds("none") == ()
    assert kinds("*") == ALL
    with pytest.raises(ValueError, match="kill-worker-slices"):
        kinds("kill-worker")


def test_the_exchange_suffers_only_from_what_was_chosen() -> None:
    def faults_of(fault: Fault) -> set[str]:
        return {rule["fault"] for rule in fault.rules}

    plan = make_plan(1, 60, kinds("exchange-ack_lost,exchange-slow"))
    assert {name for fault in plan for name in faults_of(fault)} == {"ack_lost", "slow"}
