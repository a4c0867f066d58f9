"""What the judge makes of doubts: taken for absent, refused in the book, lowered, ended unseen, settled by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pulse_ops.verify import broken_promises
from pulse_ops.verify.facts import ArrivalRow, BrokerOrderRow, BrokerTradeRow, EventRow, Facts, FillRow, PlacementRow
from tests.unit.test_verify import (
    TAGS,
    a_flawless_trade,
    added,
    alarmed,
    at,
    broken,
    changed,
    claimed,
    moved,
    price,
    told,
    without,
)

FIRST = "AAAAAAAAAAAAAAAAAAA0"
TURNED_UP = "TURNED_UP"
UNSEEN = "END_UNSEEN"
BESIDE = "nothing-sent-beside-a-known-attempt"


def after(facts: Facts, kind: Callable[[EventRow], bool], *events: EventRow) -> Facts:
    """The same with events after the first one of a kind."""
    rows = list(facts.database.events)
    number = next(index for index, row in enumerate(rows) if kind(row))
    return replace(facts, database=replace(facts.database, events=[*rows[: number + 1], *events, *rows[number + 1 :]]))


def _by_slice(row: PlacementRow) -> tuple[str, int]:
    return row.slice_id, row.attempt


def a_late_double(accepted_after: float = 65.5, told_at: float | None = 131) -> Facts:
    """Slice 2 was sent at 60 s, taken for absent, sent again at 125 s and filled; then the first order turned up.

    It was cancelled unfilled. `told_at` is when the alarm was raised, if it was.
    """
    facts = changed(a_flawless_trade(), "slices", 1, attempts=2)
    facts = changed(facts, "placements", 1, attempt=2, claimed_at=at(125))
    facts = changed(facts, "broker_orders", 1, placed_at=at(125.02), ended_at=at(126.02))
    facts = changed(facts, "trades", 1, traded_at=at(125.02))
    facts = changed(facts, "arrivals", 1, arrived_at=at(125.02))
    accepted = at(60.02 + accepted_after)
    known: dict[str, Any] = {"broker_order_id": "B0", "outcome": "ACKNOWLEDGED", "ended_at": at(140)}
    row = PlacementRow(FIRST, "sl_2", 1, 50, None, "ABSENT", at(60))
    placements = sorted([*facts.database.placements, replace(row, **known) if told_at else row], key=_by_slice)
    facts = replace(facts, database=replace(facts.database, placements=placements))
    facts = added(facts, "broker_orders", BrokerOrderRow("B0", FIRST, "CANCELLED", 50, 0, accepted, at(139), accepted))
    facts = added(facts, "arrivals", ArrivalRow(FIRST, at(60.02), "ACCEPTED", "B0"))
    before = [
        claimed(2, 60, FIRST),
        moved("sl_2", 67, "SENDING", "UNKNOWN"),
        moved("sl_2", 124, "UNKNOWN", "SCHEDULED"),
    ]
    alarms = [alarmed("sl_2", told_at, TURNED_UP, broker_order_id="B0")] if told_at else []
    facts = after(facts, lambda row: row.to_status == "FILLED" and row.slice_id == "sl_1", *before)
    return after(facts, lambda row: row.to_status == "FILLED" and row.slice_id == "sl_2", *alarms)


def test_an_order_that_came_later_than_any_delay_is_excused_when_an_alarm_told_of_it() -> None:
    assert broken_promises(a_late_double()) == []


def test_an_order_that_came_within_the_settle_delay_was_written_off_wrongly() -> None:
    assert {"presumed-absent-rightly"} <= broken(a_late_double(accepted_after=59))
    patient = replace(a_late_double(), settle_delay=timedelta(seconds=66))
    assert {"presumed-absent-rightly", "one-live-order"} <= broken(patient)


def test_where_nothing_is_ever_written_off_nothing_is_excused() -> None:
    assert "presumed-absent-rightly" in broken(replace(a_late_double(), settle_delay=None))


def test_an_order_that_turned_up_needs_its_alarm_once_news_had_time_to_come() -> None:
    silent = a_late_double(told_at=None)
    assert "presumed-absent-rightly" in broken(silent)
    assert "presumed-absent-rightly" not in broken(replace(silent, is_final=False, grace=timedelta(seconds=480)))


def test_a_live_order_that_nobody_could_expect_is_called_back_within_the_grace() -> None:
    live = changed(a_late_double(), "broker_orders", 2, status="OPEN", ended_at=None)
    assert "nothing-forgotten" not in broken(replace(live, is_final=False, grace=timedelta(seconds=480)))
    assert "nothing-forgotten" in broken(replace(live, is_final=False))


def test_a_book_that_lags_beyond_the_settle_delay_excuses_as_a_late_acceptance_does() -> None:
    prompt = a_late_double(accepted_after=1)
    number = len(prompt.books.orders) - 1
    assert "presumed-absent-rightly" in broken(prompt)
    assert broken(changed(prompt, "broker_orders", number, visible_at=at(131))) == set()


def test_a_lagging_book_excuses_no_second_order_beside_one_that_was_acknowledged() -> None:
    facts = a_late_double(told_at=None)
    acknowledged = changed(facts, "placements", 1, broker_order_id="B0", outcome="ACKNOWLEDGED", ended_at=at(140))
    assert "one-live-order" in broken(acknowledged)


def test_what_came_late_and_filled_is_beyond_the_orders_quantity_and_nothing_else_is() -> None:
    facts, number = a_late_double(), 2
    facts = changed(facts, "broker_orders", number, status="COMPLETE", filled_quantity=50)
    facts = added(facts, "trades", BrokerTradeRow("T0", "B0", 50, Decimal("10.1000"), at(138)))
    facts = added(facts, "fills", FillRow("sl_2", "B0", "T0", 50, Decimal("10.1000")))
    facts = added(facts, "events", told(2, 140, 100))
    facts = changed(facts, "slices", 1, filled_quantity=100)
    facts = changed(facts, "orders", 0, filled_quantity=150, average_price=Decimal("10.0667"))
    assert broken_promises(facts) == []
    assert "quantities-add-up" in broken(replace(facts, settle_delay=timedelta(seconds=80)))


def test_nothing_is_claimed_once_it_is_known_that_an_earlier_attempt_turned_up() -> None:
    told_before = a_late_double(accepted_after=64, told_at=None)
    told_before = changed(told_before, "placements", 1, broker_order_id="B0", outcome="ACKNOWLEDGED", ended_at=at(140))
    alarm = alarmed("sl_2", 124.5, TURNED_UP, broker_order_id="B0")
    told_before = after(told_before, lambda row: row.from_status == "UNKNOWN", alarm)
    assert broken(told_before) == {BESIDE}
    assert broken(changed(told_before, "placements", 1, ended_at=None)) == {BESIDE}
    ended_before = changed(told_before, "placements", 1, ended_at=at(124.9))
    assert broken(ended_before) == set()


@pytest.mark.parametrize("outcome", [None, "UNKNOWN"])
def test_nothing_is_claimed_beside_an_attempt_in_doubt(outcome: str | None) -> None:
    doubtful = changed(a_late_double(told_at=None), "placements", 1, outcome=outcome)
    assert BESIDE in broken(doubtful)


def test_shares_that_were_known_to_be_filled_are_not_asked_for_again() -> None:
    facts = without(a_late_double(), "trades", 1)
    known = after(facts, lambda row: row.from_status == "UNKNOWN", told(2, 124.5, 4))
    assert BESIDE in broken(known)
    assert BESIDE not in broken(changed(known, "placements", 2, quantity=46))
    too_late = after(facts, lambda row: row.detail.get("client_order_id") == TAGS[1], told(2, 125.5, 4))
    assert BESIDE not in broken(too_late)


def a_refusal_in_the_book() -> Facts:
    """Slice 2 was refused, and the refusal stands rejected in the book."""
    facts = changed(a_flawless_trade(), "slices", 1, status="REJECTED", broker_order_id=None, filled_quantity=0)
    facts = changed(facts, "slices", 1, average_price=None)
    facts = changed(facts, "orders", 0, filled_quantity=50, result="PARTIALLY_FILLED", average_price=price(1))
    facts = changed(facts, "placements", 1, outcome="REFUSED", broker_order_id=None)
    facts = changed(facts, "broker_orders", 1, status="REJECTED", filled_quantity=0, ended_at=at(60.02))
    facts = changed(facts, "arrivals", 1, outcome="REFUSED")
    facts = without(without(facts, "trades", 1), "fills", 1)
    events = [row for row in facts.database.events if row.slice_id != "sl_2"]
    events[-1:-1] = [claimed(2, 60, TAGS[1]), moved("sl_2", 60, "SENDING", "REJECTED")]
    return replace(facts, database=replace(facts.database, events=events))


def test_a_refusal_that_stands_rejected_in_the_book_breaks_no_promise() -> None:
    assert broken_promises(a_refusal_in_the_book()) == []
    named = changed(a_refusal_in_the_book(), "placements", 1, broker_order_id="B2", ended_at=at(70))
    assert broken_promises(named) == []


@pytest.mark.parametrize("change", [{"status": "OPEN"}, {"status": "CANCELLED"}, {"filled_quantity": 1}])
def test_a_refused_order_that_lives_or_traded_was_written_off_wrongly(change: dict[str, Any]) -> None:
    assert "presumed-absent-rightly" in broken(changed(a_refusal_in_the_book(), "broker_orders", 1, **change))


def test_an_alarm_about_a_refusal_that_its_book_confirms_is_a_false_one() -> None:
    alarm = alarmed("sl_2", 70, TURNED_UP, broker_order_id="B2")
    assert "presumed-absent-rightly" in broken(added(a_refusal_in_the_book(), "events", alarm))


def test_an_attempt_belongs_at_the_broker_of_its_order() -> None:
    assert broken(changed(a_flawless_trade(), "placements", 0, broker="zerodha")) == {"placed-at-its-broker"}
    moved_away = changed(a_flawless_trade(), "orders", 0, broker="zerodha")
    assert broken(moved_away) == {"placed-at-its-broker"}


def a_lowered_slice() -> Facts:
    """Slice 2 was lowered from 60 to 50 before it was sent: the order was for 110."""
    facts = changed(a_flawless_trade(), "orders", 0, total_quantity=110, result="PARTIALLY_FILLED")
    lowered = alarmed("sl_2", 59, "SLICE_LOWERED", lowered_from=60, lowered_to=50)
    return after(facts, lambda row: row.to_status == "FILLED" and row.slice_id == "sl_1", lowered)


def test_the_slices_make_up_what_the_order_was_lowered_to() -> None:
    assert broken_promises(a_lowered_slice()) == []
    silent = replace(
        a_lowered_slice(),
        database=replace(
            a_lowered_slice().database,
            events=[row for row in a_lowered_slice().database.events if row.kind != "ALARM"],
        ),
    )
    assert "quantities-add-up" in broken(silent)


def test_a_lowered_slice_asks_for_no_more_than_it_was_lowered_to() -> None:
    facts = changed(a_lowered_slice(), "placements", 1, quantity=60)
    facts = changed(facts, "broker_orders", 1, quantity=60)
    assert {BESIDE, "never-over-quantity"} <= broken(facts)


def test_an_attempt_is_measured_by_what_its_slice_asked_for_at_that_time() -> None:
    facts = added(
        a_lowered_slice(), "placements", PlacementRow(FIRST, "sl_2", 0, 60, "B0", "ACKNOWLEDGED", at(58), at(58))
    )
    before = added(facts, "broker_orders", BrokerOrderRow("B0", FIRST, "REJECTED", 60, 0, at(58), at(58)))
    assert "never-over-quantity" not in broken(before)
    assert "never-over-quantity" in broken(changed(before, "broker_orders", 2, placed_at=at(59.5)))


def an_unseen_end(filled: int = 50) -> Facts:
    """The broker's day ended on slice 2, which had filled: nobody saw it, and nothing of it is booked."""
    facts = without(a_flawless_trade(), "fills", 1)
    facts = changed(facts, "slices", 1, status="EXPIRED", filled_quantity=0, average_price=None)
    facts = changed(facts, "orders", 0, filled_quantity=50, result="PARTIALLY_FILLED", average_price=price(1))
    facts = changed(facts, "trades", 1, quantity=filled)
    status = "COMPLETE" if filled == 50 else "CANCELLED"
    facts = changed(facts, "broker_orders", 1, status=status, filled_quantity=filled)
    facts = changed(facts, "placements", 1, ended_at=at(100))
    events = [row for row in facts.database.events if row.slice_id != "sl_2" or row.kind != "FILL"]
    events = [
        replace(row, to_status="EXPIRED") if row == moved("sl_2", 61, "WORKING", "FILLED") else row for row in events
    ]
    facts = replace(facts, database=replace(facts.database, events=events))
    return added(facts, "events", alarmed("sl_2", 100, UNSEEN, broker_order_id="B2"))


def settled(facts: Facts, filled: int, broker_order_id: str = "B2") -> Facts:
    """What an operator says slice 2 had filled."""
    said = {"request": "settle", "client_order_id": TAGS[1]}
    facts = added(facts, "events", EventRow("ord_1", "sl_2", at(200), "REQUEST", None, None, None, said))
    if not filled:
        return facts
    facts = added(facts, "fills", FillRow("sl_2", broker_order_id, f"settled-{TAGS[1]}-1", filled, price(2), "op"))
    facts = added(facts, "events", told(2, 200, filled))
    average = (50 * price(1) + filled * price(2)) / (50 + filled)
    result = "FILLED" if filled == 50 else "PARTIALLY_FILLED"
    facts = changed(facts, "slices", 1, filled_quantity=filled, average_price=price(2))
    return changed(facts, "orders", 0, filled_quantity=50 + filled, result=result, average_price=round(average, 4))


def test_what_the_day_ended_unseen_is_for_an_operator_to_settle() -> None:
    assert broken_promises(an_unseen_end()) == []
    silent = without(an_unseen_end(), "events", len(an_unseen_end().database.events) - 1)
    assert {"fills-agree", "statuses-agree"} <= broken(silent)


@pytest.mark.parametrize("filled", [50, 20])
def test_what_an_operator_settled_is_what_the_broker_traded(filled: int) -> None:
    assert broken_promises(settled(an_unseen_end(filled), filled)) == []
    assert "fills-agree" in broken(settled(an_unseen_end(filled), filled - 10))


def test_what_an_operator_settled_as_nothing_was_not_traded() -> None:
    assert "fills-agree" in broken(settled(an_unseen_end(20), 0))
    unfilled = changed(without(an_unseen_end(20), "trades", 1), "broker_orders", 1, filled_quantity=0)
    assert broken_promises(settled(unfilled, 0)) == []


def an_unknown_over_night() -> Facts:
    """The book of the day closed on slice 2 while it was UNKNOWN; it had filled."""
    facts = an_unseen_end()
    facts = changed(facts, "placements", 1, broker_order_id=None, outcome="UNKNOWN", ended_at=None)
    facts = changed(facts, "slices", 1, status="UNKNOWN", broker_order_id=None, resolve_at=at(900))
    facts = changed(facts, "orders", 0, status="IN_PROGRESS", result=None)
    events = [row for row in facts.database.events if row.slice_id != "sl_2"][:-1]
    events += [claimed(2, 60, TAGS[1]), moved("sl_2", 67, "SENDING", "UNKNOWN")]
    return replace(facts, database=replace(facts.database, events=events))


def test_an_operators_case_is_not_forgotten_until_everything_must_have_ended() -> None:
    waiting = added(an_unknown_over_night(), "events", alarmed("sl_2", 100, "DAY_OVER", client_order_id=TAGS[1]))
    assert "nothing-forgotten" not in broken(replace(waiting, is_final=False))
    assert "nothing-forgotten" in broken(waiting)
    assert "nothing-forgotten" in broken(replace(an_unknown_over_night(), is_final=False))


def an_unknown_settled(filled: int) -> Facts:
    facts = changed(an_unknown_over_night(), "placements", 1, outcome="ACKNOWLEDGED", ended_at=at(200))
    facts = settled(facts, filled, TAGS[1])
    facts = changed(facts, "slices", 1, status="FILLED" if filled == 50 else "EXPIRED")
    facts = changed(facts, "orders", 0, status="DONE")
    ends = [
        moved("sl_2", 200, "UNKNOWN", "FILLED" if filled == 50 else "EXPIRED"),
        moved(None, 200, "IN_PROGRESS", "DONE"),
    ]
    return replace(facts, database=replace(facts.database, events=[*facts.database.events, *ends]))


def test_an_unknown_attempt_is_settled_under_its_own_id_and_compared_with_its_order() -> None:
    assert broken_promises(an_unknown_settled(50)) == []
    assert "fills-agree" in broken(an_unknown_settled(40))
    assert "statuses-agree" in broken(changed(an_unknown_settled(50), "broker_orders", 1, status="CANCELLED"))


def test_an_order_of_which_nothing_came_may_be_settled_as_absent() -> None:
    facts = changed(without(an_unknown_settled(50), "trades", 1), "broker_orders", 1, filled_quantity=0)
    facts = changed(changed(facts, "broker_orders", 1, status="CANCELLED"), "placements", 1, outcome="ABSENT")
    assert "presumed-absent-rightly" not in broken(facts)
    assert "presumed-absent-rightly" in broken(changed(facts, "broker_orders", 1, filled_quantity=1))
    assert "presumed-absent-rightly" in broken(changed(facts, "broker_orders", 1, status="OPEN"))


def test_what_was_settled_though_it_never_came_to_the_broker_has_no_trades() -> None:
    facts = without(without(an_unknown_settled(50), "trades", 1), "broker_orders", 1)
    assert "fills-agree" in broken(facts)


def test_an_answer_that_came_late_may_reject_an_unknown_slice() -> None:
    facts = a_refusal_in_the_book()
    events = [
        row if (row.slice_id, row.to_status) != ("sl_2", "REJECTED") else moved("sl_2", 67, "UNKNOWN", "REJECTED")
        for row in facts.database.events
    ]
    number = next(index for index, row in enumerate(events) if row.from_status == "UNKNOWN")
    events[number:number] = [moved("sl_2", 65, "SENDING", "UNKNOWN")]
    assert broken_promises(replace(facts, database=replace(facts.database, events=events))) == []
