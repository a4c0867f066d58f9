"""Defects of how orders keep the hours of their market."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, TRADING, Change, Defect

HOURS, CALENDAR = f"{TESTS}/test_market_hours.py", "tests/unit/test_market_calendar.py"

MARKETS = (
    Defect(
        "The claim does not ask whether the market is open",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "split_part(orders.instrument, ':', 1) <> ALL (:with_hours)",
                "split_part(orders.instrument, ':', 1) <> ALL (:with_hours) OR true",
            ),
        ),
        (
            f"{HOURS}::test_a_slice_that_is_due_out_of_session_is_not_sent_and_spends_nothing",
            f"{HOURS}::test_no_message_no_watch_and_no_sweep_gets_past_a_closed_market",
        ),
    ),
    Defect(
        "A phase takes any type of order",
        (
            Change(
                "pulse_core/markets/calendar.py",
                "if order_type not in phase.takes or closes <= phase.opens:",
                "if not phase.takes or closes <= phase.opens:",
            ),
        ),
        (f"{CALENDAR}::test_every_day_of_the_year_has_its_hours",),
    ),
    Defect(
        "Slices that wait for their market are given turns",
        (Change(f"{SLICE}/dispatch.py", "        put_off_closed(broker.name, now)\n", ""),),
        (f"{HOURS}::test_no_message_no_watch_and_no_sweep_gets_past_a_closed_market",),
    ),
    Defect(
        "A window that waits is spread over the clock",
        (
            Change(
                f"{TRADING}/order/planning.py",
                "scheduled_at=time.at(one.scheduled_at - order.start_at))",
                "scheduled_at=one.scheduled_at)",
            ),
        ),
        (f"{HOURS}::test_the_slices_of_an_order_that_waits_are_spread_over_the_time_that_its_market_is_open",),
    ),
    Defect(
        "Past a cut-off one slice ends without a word",
        (Change(f"{SLICE}/skipping.py", "if reason.code == CUT_OFF_PASSED:", "if False:"),),
        (f"{HOURS}::test_past_a_cut_off_the_rest_is_skipped_with_one_alarm",),
    ),
)
