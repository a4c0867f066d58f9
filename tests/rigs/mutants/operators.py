"""Defects of the end of the broker's day, of cancels and of what operators say."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, Change, Defect

DAYS_AND_OPERATORS = (
    Defect(
        "What cannot be cancelled takes the turns of what can",
        (
            Change(
                f"{STORE}/at_broker.py",
                "            OrderSlice.cancel_asks,\n            OrderSlice.cancel_asked_at.asc().nulls_first(),\n",
                "",
            ),
        ),
        (f"{TESTS}/test_recall.py::test_a_thousand_that_cannot_be_cancelled_hold_up_no_other",),
    ),
    Defect(
        "An operator settles a slice while the book can tell",
        (
            Change(
                f"{SLICE}/settlement.py",
                "    if covers(broker, doubt.sent_at, now) and not is_left_to_operators:\n",
                "    if False:\n",
            ),
        ),
        (f"{TESTS}/test_settlement.py::test_on_its_day_the_book_is_left_to_tell",),
    ),
    Defect(
        "An operator settles what the book shows",
        (
            Change(
                f"{SLICE}/settlement.py",
                "    if is_shown or doubt.attempt.broker_order_id in book.by_broker_order_id:\n",
                "    if False:\n",
            ),
        ),
        (f"{TESTS}/test_settlement.py::test_what_the_book_of_today_shows_is_not_for_an_operator_to_say",),
    ),
    Defect(
        "The day's end takes an order that today's book shows for ended",
        (Change(f"{SLICE}/day_end.py", "if one.broker_order_id not in book.by_broker_order_id]", "if one]"),),
        (f"{TESTS}/test_day_end.py::test_an_order_that_todays_book_still_shows_is_left_to_be_followed",),
    ),
)
