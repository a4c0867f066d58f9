"""Defects of what an account may do at most."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, Change, Defect

LIMITED = f"{TESTS}/test_risk_limits.py"
ARRIVALS = f"{TESTS}/test_arrivals.py"

LIMITS = (
    Defect(
        "The statement that accepts an order does not look at the account's day",
        (
            Change(
                f"{STORE}/new_orders.py",
                'used.c.day_quantity + stated["total_quantity"] <=',
                'stated["total_quantity"] <=',
            ),
        ),
        (
            f"{LIMITED}::test_a_race_does_not_pass_a_limit",
            f"{LIMITED}::test_a_day_has_so_many_units_and_what_was_cancelled_is_given_back",
        ),
    ),
    Defect(
        "Orders of one account are compared with its day side by side",
        (
            Change(
                f"{STORE}/new_orders.py",
                '    **prepared("add_order_within_limits", ONE_OF_ITS_ACCOUNT)\n',
                '    **prepared("add_order_within_limits")\n',
            ),
        ),
        (f"{LIMITED}::test_a_race_does_not_pass_a_limit",),
    ),
    Defect(
        "Limits are not looked at before a slice",
        (
            Change(
                f"{SLICE}/sending.py",
                "    stopped = _passing_limits(claimed, broker)\n",
                "    stopped: dict[str, Outcome] = {}\n",
            ),
        ),
        (
            f"{LIMITED}::test_a_slice_that_would_pass_a_lowered_limit_holds_its_order_until_it_is_raised",
            f"{LIMITED}::test_the_last_price_is_looked_at_again_before_a_slice",
        ),
    ),
    Defect(
        "Slices of a batch do not count for each other's limits",
        (
            Change(
                f"{SLICE}/limited.py",
                "                used = DayUsed(used.quantity + one.quantity, used.worth + (one.worth or 0))\n",
                "",
            ),
        ),
        (f"{LIMITED}::test_slices_of_a_batch_pass_no_limit_together",),
    ),
    Defect(
        "What works at the broker does not count for a limit",
        (
            Change(
                f"{STORE}/sql/day_sent.sql",
                "     WHERE slice.status IN ('SENDING', 'UNKNOWN', 'WORKING')\n",
                "     WHERE slice.status IN ('SENDING', 'UNKNOWN')\n",
            ),
        ),
        (f"{LIMITED}::test_what_works_and_what_was_filled_counts",),
    ),
    Defect(
        "A price counts however long ago it was read",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "               AND last.read_at >= moment.now - interval '5 seconds') AS last_price\n",
                "               ) AS last_price\n",
            ),
        ),
        (f"{ARRIVALS}::test_a_price_that_was_read_too_long_ago_is_not_known",),
    ),
)
