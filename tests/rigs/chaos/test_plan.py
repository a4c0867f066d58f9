"""The plan of a run is a pure function of seed, length and faults."""

from itertools import pairwise

import pytest

from pulse_ops.paper_exchange.faults import Scenario
from tests.rigs.chaos.exchanges import ALPACA, BROKERS, KITE
from tests.rigs.chaos.load import intents
from tests.rigs.chaos.plan import ALL, CLOCK_FAULTS, DAY_END, PACKET_FAULTS, PROCESS_FAULTS, Fault, kinds, make_plan
from tests.rigs.chaos.run import SETTINGS
from tests.rigs.chaos.stops import LENGTHS, halts, pauses


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert make_plan(1, 600, ALL) == make_plan(1, 600, ALL)
    assert make_plan(1, 600, ALL) != make_plan(2, 600, ALL)
    assert intents(1, 600) == intents(1, 600)
    assert intents(1, 600) != intents(2, 600)


def test_ten_minutes_hold_a_hundred_process_faults_and_two_thousand_slices() -> None:
    assert sum(fault.kind in PROCESS_FAULTS for fault in make_plan(1, 600, ALL)) >= 100
    assert sum(intent.body["split_config"]["num_splits"] for intent in intents(1, 600)) >= 2000


def test_with_twice_the_room_half_the_faults_are_left_and_all_of_their_kinds() -> None:
    kinds_struck = [fault.kind for fault in make_plan(1, 600, ALL, room=2)]

    assert sum(kind in PROCESS_FAULTS for kind in kinds_struck) == 67
    assert set(PROCESS_FAULTS) | set(CLOCK_FAULTS) | set(PACKET_FAULTS) < set(kinds_struck)
    assert kinds_struck.count("exchange") == 100


def test_faults_come_in_order_and_all_have_ended_when_the_time_is_up() -> None:
    plan = make_plan(3, 120, ALL)
    assert [fault.at for fault in plan] == sorted(fault.at for fault in plan)
    assert all(fault.at >= 0 and fault.at + fault.seconds <= 120 for fault in plan)


def test_every_process_fault_strikes_before_any_strikes_twice_as_often() -> None:
    struck = [fault.kind for fault in make_plan(5, 600, ALL) if fault.kind in PROCESS_FAULTS]
    counts = {kind: struck.count(kind) for kind in PROCESS_FAULTS}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_clocks_and_packets_of_each_kind_go_wrong_and_the_day_ends_once_in_mid_run() -> None:
    plan = make_plan(4, 600, ALL)
    assert {*CLOCK_FAULTS, *PACKET_FAULTS} <= {fault.kind for fault in plan}
    assert [fault.at for fault in plan if fault.kind == DAY_END] == [pytest.approx(300, abs=60)]


def test_a_link_is_down_for_one_second_to_two_minutes_and_a_short_run_sees_its_end() -> None:
    lengths = [fault.seconds for fault in make_plan(4, 86_400, ["packets-link-down"])]
    assert 1 <= min(lengths) < 2
    assert 100 < max(lengths) <= 120
    assert all(fault.seconds <= 20 for fault in make_plan(4, 40, [*PACKET_FAULTS]))


def test_a_host_that_vanishes_does_so_for_every_server_and_other_faults_strike_one_at_times() -> None:
    plan = make_plan(4, 3600, [*PACKET_FAULTS])
    assert {fault.server for fault in plan if fault.kind == "packets-half-open"} == {None}
    assert {fault.server for fault in plan if fault.kind == "packets-loss"} == {None, "exchange", "postgres", "redis"}
    one_way = [fault.weather for fault in plan if fault.kind == "packets-loss-one-way"]
    assert {name for weather in one_way for name in weather} == {"loss_to", "loss_from"}
    assert all(len(weather) == 1 for weather in one_way)


def test_the_exchange_understands_its_rules_and_what_it_puts_off_comes_within_the_run() -> None:
    changes = [fault for fault in make_plan(1, 600, ALL) if fault.kind == "exchange"]
    for fault in changes:
        Scenario.model_validate({"rules": fault.rules})
    assert all(fault.at + rule["seconds"] <= 600 for fault in changes for rule in fault.rules)


def test_some_orders_are_accepted_and_shown_only_after_the_settle_delay() -> None:
    rules = [rule for fault in make_plan(1, 600, ALL) for rule in fault.rules]
    for name in ("slow_accept", "book_delay"):
        assert any(
            rule["seconds"] > 2 * float(SETTINGS["PULSE_SETTLE_DELAY"]) for rule in rules if rule["fault"] == name
        )


def test_what_is_traded_is_stopped_and_let_go_on_as_the_seed_says() -> None:
    stopped = halts(1, 600, BROKERS["both"])

    assert (stopped, pauses(1, 600)) == (halts(1, 600, BROKERS["both"]), pauses(1, 600))
    assert stopped != halts(2, 600, BROKERS["both"])
    for plan in (stopped, pauses(1, 600)):
        assert len(plan) >= 30
        assert all(earlier.at + earlier.seconds < later.at for earlier, later in pairwise(plan))
        assert all(LENGTHS[0] <= one.seconds <= LENGTHS[1] for one in plan)
        assert {one.working for one in plan} == {"keep", "cancel"}
    assert {name for one in stopped for name in one.halted or {"all": ""}} == {"all", "broker_account", "instrument"}


def test_patterns_choose_the_faults() -> None:
    assert kinds("kill-*,flushall") == (*PROCESS_FAULTS[:11], "flushall")
    assert kinds("packets-*,!packets-loss*") == ("packets-link-down", "packets-half-open", "packets-delay")
    assert kinds("none") == ()
    assert kinds("*") == ALL
    with pytest.raises(ValueError, match="kill-worker-slices"):
        kinds("kill-worker")


def test_the_exchange_suffers_only_from_what_was_chosen() -> None:
    def faults_of(fault: Fault) -> set[str]:
        return {rule["fault"] for rule in fault.rules}

    plan = make_plan(1, 60, kinds("exchange-ack_lost,exchange-slow"))
    assert {name for fault in plan for name in faults_of(fault)} == {"ack_lost", "slow"}


def test_orders_go_by_turns_to_each_exchange_that_is_traded_at_and_the_others_stay_as_they_were() -> None:
    both, alone = intents(1, 600, BROKERS["both"]), intents(1, 600)

    assert [one.body.get("broker_account") for one in both[:4]] == [None, ALPACA.account, None, ALPACA.account]
    assert {one.body["instrument"] for one in both[1::2]} == {*ALPACA.instruments}
    assert {one.body["instrument"] for one in alone} == {*KITE.instruments}
    assert all("session" not in one.body for one in alone)


def test_an_exchange_is_told_of_no_fault_that_its_wire_does_not_have() -> None:
    assert {f"exchange-{name}" for name in ALPACA.lacks} < {*ALL}
    assert not KITE.lacks
