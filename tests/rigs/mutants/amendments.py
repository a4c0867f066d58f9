"""Defects of orders that are amended while they are under way, and of pauses that call working slices back."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, TRADING, Change, Defect

AMEND = f"{TESTS}/test_amend.py"
RECALL = f"{TESTS}/test_recall.py"

AMENDMENTS = (
    Defect(
        "An order is amended without holding what is unsent",
        (
            Change(
                f"{STORE}/slices.py",
                "(OrderSlice.sequence_number).with_for_update(key_share=True, skip_locked=True)",
                "(OrderSlice.sequence_number)",
            ),
        ),
        (f"{AMEND}::test_a_slice_that_is_held_is_not_claimed",),
    ),
    Defect(
        "An order is amended to less than what is out",
        (Change(f"{TRADING}/order/amend.py", "    if total < least:", "    if total < 0:"),),
        (f"{AMEND}::test_no_less_than_what_is_filled_or_may_still_be",),
    ),
    Defect(
        "What was claimed before gives up a part of it",
        (
            Change(
                f"{TRADING}/order/amend.py",
                "    return one.attempts > 0 or one.filled_quantity > 0 or one.is_last",
                "    return one.is_last",
            ),
        ),
        (f"{AMEND}::test_what_was_claimed_before_keeps_its_quantity",),
    ),
    Defect(
        "What is late of an amended order keeps what the new total leaves no room for",
        (
            Change(
                f"{TRADING}/amending.py",
                "        [*planned.slices, *_without_place(kept, planned, after.slice_cap(asked))],",
                "        planned.slices,",
            ),
        ),
        (f"{AMEND}::test_an_order_is_lowered_after_its_window_with_what_is_late_of_it",),
    ),
    Defect(
        "What was claimed a moment before is sent at the old price",
        (Change(f"{SLICE}/sending.py", "    if look.limit_price != claim.claimed.limit_price:", "    if False:"),),
        (f"{AMEND}::test_what_was_claimed_at_the_old_price_a_moment_before_is_not_sent_at_it",),
    ),
    Defect(
        "An order is amended beyond the limits of its account",
        (
            Change(
                f"{TRADING}/order/amend.py",
                "    _check_limits(session, order, wanted, held_to.standing, now)\n    # Its",
                "    # Its",
            ),
        ),
        (f"{AMEND}::test_no_larger_total_and_no_other_price_than_a_limit_allows",),
    ),
    Defect(
        "An order is amended to a window in which its slices cannot get out",
        (
            Change(
                f"{TRADING}/order/amend.py",
                "        risk.check_window(session, order, held_to.window, to_send, now)",
                "        pass",
            ),
        ),
        (f"{TESTS}/test_caps.py::test_a_window_is_shortened_to_none_in_which_its_slices_cannot_get_out",),
    ),
    Defect(
        "Orders that are amended side by side pass a limit together",
        (
            Change(
                f"{TRADING}/order/risk.py",
                "        day_used.wait_for_others(session, order.account_id)\n",
                "",
            ),
        ),
        (f"{AMEND}::test_orders_that_are_raised_at_once_pass_no_limit_together",),
    ),
    Defect(
        "What was resumed is called back all the same",
        (
            Change(
                f"{SLICE}/cancel_working.py",
                "        if reason is None or _is_changed(one, seen):",
                "        if _is_changed(one, seen):",
            ),
        ),
        (f"{RECALL}::test_once_resumed_nothing_is_called_back",),
    ),
)
