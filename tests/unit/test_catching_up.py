"""An order catches up by its policy: nothing lost in silence, nothing beyond the cap, nothing outside its window."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from api_contract.vocabulary import AtEnd, CatchUp, Leftover, NotFittingReason
from pulse_core.trading import schedule
from pulse_core.trading.catching_up import LATENESS, NotFitting, Schedule, reschedule
from pulse_core.trading.order_plan import History, Plan, Policy, Sent, Unsent
from pulse_core.trading.schedule import Sizes
from pulse_core.trading.trading_time import TradingTime

START = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
A_TRIFLE = timedelta(milliseconds=2)


def at(seconds: float) -> datetime:
    return START + SECOND * seconds


def a_plan(total: int = 130, extended_by: float = 0, **changes: object) -> Plan:
    """Thirteen slices of ten in a minute, one every five seconds."""
    time = TradingTime([(START, at(60 + extended_by))])
    return replace(Plan(total, 13, START, at(60), time), **changes)  # type: ignore[arg-type]


def slices(*seconds: float, quantity: int = 10) -> list[Unsent]:
    return [Unsent(round(one / 5) + 1, quantity, at(one)) for one in seconds]


def after_a_pause() -> History:
    """What was due at 20 to 35 seconds is missed at 40."""
    unsent = slices(20, 25, 30, 35, 40.1, 45, 50, 55, 60)
    return History(filled=40, unsent=unsent, next_number=14)


def times(found: Schedule) -> list[float]:
    return [round((one.due_at - START).total_seconds(), 2) for one in found.slices]


@pytest.mark.parametrize(
    ("policy", "expected", "lost"),
    [
        (Policy(), [40, 45, 50, 55, 40.1, 45, 50, 55, 60], []),
        (Policy(CatchUp.NEXT_SLICE), [40.1, 40.1, 40.1, 45.1, 45.1, 45.1, 50.1, 55, 60], []),
        (Policy(CatchUp.BURST), [40, 40, 40, 45, 45, 45, 50, 55, 60], []),
        (Policy(CatchUp.SKIP), [40.1, 45, 50, 55, 60], [NotFitting(40, NotFittingReason.SKIPPED)]),
        (Policy(max_slice_multiple=1), [40, 45, 50, 55, 60], [NotFitting(40, NotFittingReason.NO_ROOM)]),
    ],
)
def test_each_policy_gives_what_was_missed_its_place(
    policy: Policy, expected: list[float], lost: list[NotFitting]
) -> None:
    found = reschedule(a_plan(), after_a_pause(), at(40), policy)

    assert sorted(times(found)) == sorted(expected)
    assert list(found.not_fitting) == lost


def test_what_is_still_to_come_keeps_its_times() -> None:
    found = reschedule(a_plan(), after_a_pause(), at(40), Policy())

    kept = {one.sequence_number: one.due_at for one in found.slices}
    assert [kept[one.sequence_number] for one in slices(45, 50, 55, 60)] == [at(one) for one in (45, 50, 55, 60)]


def test_the_window_grows_as_far_as_the_cap_needs_it_and_no_further() -> None:
    history = History(filled=0, unsent=slices(*range(0, 61, 5)), next_number=14)
    policy = Policy(max_slice_multiple=2, extend_minutes=1)

    inside = reschedule(a_plan(), history, at(50), policy)
    extended = reschedule(a_plan(extended_by=60), history, at(50), policy)

    assert inside.quantity_not_fitting == 70
    assert extended.not_fitting == []
    assert at(60) < extended.end_at <= at(80)


def test_the_rest_of_an_expired_slice_comes_back_as_a_new_slice() -> None:
    history = History(filled=34, unsent=slices(50, 55, 60), ended_rest=6, next_number=14)

    found = reschedule(a_plan(total=70), history, at(47), Policy())

    assert [(one.sequence_number, one.quantity) for one in found.slices if one.is_new] == [(14, 6)]


def test_a_rest_that_is_to_be_dropped_is_named() -> None:
    history = History(filled=34, unsent=slices(50, 55, 60), ended_rest=6, next_number=14)

    found = reschedule(a_plan(total=70), history, at(47), Policy(leftover=Leftover.DROP))

    assert list(found.not_fitting) == [NotFitting(6, NotFittingReason.DROPPED)]


def test_at_the_end_one_last_slice_takes_what_the_cap_allows() -> None:
    history = History(filled=80, ended_rest=50, next_number=14)

    found = reschedule(a_plan(), history, at(61), Policy(at_end=AtEnd.MARKET))

    assert [(one.quantity, one.is_last, one.due_at) for one in found.slices] == [(30, True, at(61))]
    assert list(found.not_fitting) == [NotFitting(20, NotFittingReason.WINDOW_OVER)]
    again = reschedule(a_plan(), replace(history, has_last_slice=True), at(62), Policy(at_end=AtEnd.MARKET))
    assert again.slices == []


def test_what_was_sent_a_moment_ago_counts_for_the_cap() -> None:
    history = History(working=30, unsent=slices(10, 15), sent=[Sent(30, at(18))], next_number=14)

    found = reschedule(a_plan(), history, at(20), Policy(CatchUp.BURST))

    assert times(found) == [21.75, 21.75]


def test_what_just_came_due_is_left_on_its_way() -> None:
    found = reschedule(a_plan(), History(unsent=slices(60), next_number=14), at(60.5), Policy(), SECOND)

    assert times(found) == [60]


@pytest.mark.parametrize(
    ("grace", "expected", "lost"),
    [(0, [], 20), (3, [61.75], 10), (300, [61.75, 66.75], 0)],
)
def test_slices_that_the_cap_holds_up_to_the_end_go_out_in_the_grace_after_it(
    grace: float, expected: list[float], lost: int
) -> None:
    history = History(filled=110, unsent=slices(55, 60), sent=[Sent(10, at(58))], next_number=14)

    found = reschedule(a_plan(), history, at(61), Policy(max_slice_multiple=1), 300 * SECOND, grace * SECOND)

    assert (times(found), found.quantity_not_fitting, found.end_at) == (expected, lost, at(60))


def test_a_rest_does_not_come_back_in_the_grace_after_the_window() -> None:
    history = History(filled=100, unsent=slices(60), ended_rest=20, sent=[Sent(10, at(58))], next_number=14)

    found = reschedule(a_plan(), history, at(61), Policy(max_slice_multiple=1), 300 * SECOND, 300 * SECOND)

    assert (times(found), found.quantity_not_fitting) == ([61.75], 20)


def test_a_smaller_total_lowers_every_unsent_slice_alike() -> None:
    history = History(filled=40, unsent=slices(40, 45, 50, 55, 60), next_number=14)

    found = reschedule(a_plan(total=65), history, at(38), Policy())

    assert [one.quantity for one in found.slices] == [5, 5, 5, 5, 5]


@some.composite
def cases(draw: some.DrawFn) -> tuple[Plan, History, datetime, Policy]:
    lot = draw(some.sampled_from([1, 1, 1, 75]))
    num_splits = draw(some.integers(2, 40))
    length = draw(some.integers(60, 6 * 3600)) * SECOND
    total = draw(some.integers(num_splits, num_splits * 30)) * lot
    seed = draw(some.none() | some.integers(0, 2**31))
    most = draw(some.none() | some.integers(60, 200).map(lambda one: one * lot))
    policy = Policy(
        draw(some.sampled_from(CatchUp)),
        draw(some.integers(1, 10)),
        draw(some.sampled_from([0, 0, 1, 60])),
        draw(some.sampled_from(Leftover)),
        draw(some.sampled_from(AtEnd)),
    )
    sizes = Sizes(lot, most)
    planned = schedule.plan(total, num_splits, START, length, seed, sizes)
    reach = length + timedelta(minutes=policy.extend_minutes)
    closes = draw(some.none() | some.floats(0.1, 0.9))
    stretches = [(START, START + reach)]
    if closes is not None:
        # The market closes for an hour.
        until = START + length * closes
        stretches = [(START, until), (until + 3600 * SECOND, START + reach + 3600 * SECOND)]
    time = TradingTime(stretches)
    end_at = time.at(length)
    plan = Plan(total, num_splits, START, end_at, time, sizes, seed is not None)
    now = START + (end_at - START) * draw(some.floats(0, 1.2))
    unsent, sent = [], []
    filled = working = unknown = ended = 0
    for one in planned:
        due_at = time.at(one.scheduled_at - START)
        if due_at > now or draw(some.integers(0, 2)) == 0:
            unsent.append(Unsent(one.sequence_number, one.quantity, due_at))
            continue
        sent.append(Sent(one.quantity, due_at))
        part = draw(some.integers(0, one.quantity))
        match draw(some.integers(0, 3)):
            case 0:
                filled, working = filled + part, working + one.quantity - part
            case 1:
                filled, unknown = filled + part, unknown + one.quantity - part
            case _:
                filled, ended = filled + part, ended + one.quantity - part
    history = History(filled, working, unknown, unsent, ended, sent, num_splits + 1)
    return plan, history, now, policy


def most_in_a_stretch(plan: Plan, going: Sequence[tuple[datetime, int]], since: datetime, length: timedelta) -> int:
    """The most units of any stretch of this length that ends after an instant."""
    instants = [(START + plan.time.passed(one), units) for one, units in going]
    most = 0
    for last, _ in instants:
        if last >= START + plan.time.passed(since):
            first = last - length + A_TRIFLE
            most = max(most, sum(units for one, units in instants if first < one <= last))
    return most


@given(cases())
def test_sums_caps_lots_and_the_window_are_kept(case: tuple[Plan, History, datetime, Policy]) -> None:
    plan, history, now, policy = case

    found = reschedule(plan, history, now, policy)

    before = {one.sequence_number: one for one in history.unsent}
    unsent = sum(one.quantity for one in history.unsent)
    assert found.quantity + found.quantity_not_fitting == unsent + history.ended_rest
    assert history.filled + history.working + history.unknown + found.quantity <= plan.total_quantity
    assert {one.sequence_number for one in found.slices if not one.is_new} | set(found.ended) == set(before)
    assert not {one.sequence_number for one in found.slices if one.is_new} & set(before)
    latest = max(plan.end_at, plan.time.at(plan.time.length))
    for one in found.slices:
        assert 0 < one.quantity <= plan.slice_cap(policy)
        if not history.ended_rest or policy.leftover is Leftover.DROP:
            assert one.quantity % plan.sizes.lot_size == 0
        was = before.get(one.sequence_number)
        assert one.due_at >= (was.due_at if was else now)
        assert one.is_last or one.due_at <= latest + A_TRIFLE
    assert found.end_at <= latest + A_TRIFLE
    moved = [
        one
        for one in found.slices
        if one.sequence_number not in before or before[one.sequence_number].due_at != one.due_at
    ]
    if moved and not any(one.is_last for one in moved):
        planned = [(one.due_at, one.quantity) for one in found.slices]
        sent = [(one.at, one.quantity) for one in history.sent if one.at <= now]
        cap, interval = plan.interval_cap(policy), plan.interval
        assert most_in_a_stretch(plan, planned, now, interval) <= cap
        assert most_in_a_stretch(plan, [*sent, *planned], now, interval * (1 - LATENESS)) <= cap


@given(cases())
def test_planning_again_at_once_changes_nothing(case: tuple[Plan, History, datetime, Policy]) -> None:
    plan, history, now, policy = case
    found = reschedule(plan, history, now, policy)
    unsent = [Unsent(one.sequence_number, one.quantity, one.due_at) for one in found.slices]
    again = replace(history, unsent=unsent, ended_rest=0, next_number=2000, has_last_slice=True)

    repeated = reschedule(replace(plan, end_at=plan.end_at), again, now, policy, SECOND)

    assert [(one.sequence_number, one.due_at) for one in repeated.slices] == [
        (one.sequence_number, one.due_at) for one in found.slices
    ]
