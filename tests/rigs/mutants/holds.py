"""Defects of whose fault a refusal is, and of what is held for it."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, TRADING, Change, Defect

HOLDS = f"{TESTS}/test_holds.py"
CATCHING_UP = f"{TESTS}/test_catching_up.py"
ACCOUNTS = "pulse_core/broker_accounts/store"
_IN_MID_ORDER = f"{HOLDS}::test_an_account_that_is_refused_in_mid_order_spends_nothing"
_WITHOUT_FUNDS = f"{HOLDS}::test_an_order_without_funds_or_shares_is_refused_once"

OF_HOLDS = (
    Defect(
        "A token that has ended is the fault of each slice",
        (
            Change(
                "pulse_core/brokers/zerodha/refusals.py",
                '    Rule(Scope.ACCOUNT, error_type="TokenException", code=TOKEN_ENDED),\n',
                "",
            ),
        ),
        (_IN_MID_ORDER, "tests/unit/test_refusals.py::test_an_answer_says_whose_fault_it_is"),
    ),
    Defect(
        "The claim does not ask whether the account is held",
        (Change(f"{STORE}/sql/claim.sql", "account.state <> 'READY'", "account.state = 'NONE'"),),
        (_IN_MID_ORDER,),
    ),
    Defect(
        "The claim does not ask whether the order is held",
        (Change(f"{STORE}/sql/claim.sql", "       AND orders.hold IS NULL\n", ""),),
        (_WITHOUT_FUNDS,),
    ),
    Defect(
        "What was claimed is sent into a hold",
        (Change(f"{SLICE}/sending.py", "    if look.held is not None:", "    if False:"),),
        (f"{HOLDS}::test_a_claim_under_way_is_not_sent_into_a_hold",),
    ),
    Defect(
        "An account is held again by a refusal of before its release",
        (
            Change(
                f"{ACCOUNTS}/sql/hold.sql",
                " <= :began_at",
                " <= greatest(:began_at, clock_timestamp() + interval '9 s')",
            ),
        ),
        (f"{HOLDS}::test_a_refusal_of_before_the_release_holds_nothing_again",),
    ),
    Defect(
        "A reading ends any block",
        (
            Change(
                f"{TRADING}/order/recheck.py",
                "    return seen.state is BrokerAccountState.AWAITING_TOKEN or seen.is_read_refused",
                "    return True",
            ),
        ),
        (f"{HOLDS}::test_a_block_that_reading_never_meets_is_ended_by_an_operator",),
    ),
    Defect(
        "An account is released before its orders have new times",
        (
            Change(
                f"{TRADING}/order/recheck.py",
                "        _replan_by_itself(order_id, known, now)\n",
                "        pass\n",
            ),
        ),
        (_IN_MID_ORDER,),
    ),
    Defect(
        "What an order missed goes out without a cap",
        (Change(f"{TRADING}/catching_up.py", "        while (recent :=", "        while False and (recent :="),),
        ("tests/unit/test_catching_up.py::test_each_policy_gives_what_was_missed_its_place",),
    ),
    Defect(
        "What a slice lacks whose end nobody saw is planned anew",
        (Change(f"{STORE}/schedules.py", ", OrderSlice.error_code == END_UNSEEN)", ")"),),
        (
            "tests/integration/test_day_end.py::"
            "test_what_a_slice_lacks_whose_end_was_not_seen_comes_back_into_no_plan_before_it_is_settled",
        ),
    ),
    Defect(
        "Late slices are claimed all at once",
        (Change(f"{STORE}/sql/claim.sql", "orders.most_per_interval IS NULL\n", "true\n"),),
        (f"{CATCHING_UP}::test_workers_that_come_back_send_no_burst_and_lose_nothing",),
    ),
    Defect(
        "What was filled before slices were rejected counts for nothing under the cap",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "WHEN part.status = 'SCHEDULED' AND part.filled_quantity > 0 THEN (",
                "WHEN false THEN (",
            ),
        ),
        (f"{CATCHING_UP}::test_what_was_filled_before_slices_were_rejected_counts_for_the_cap",),
    ),
    Defect(
        "What was filled before slices were rejected is planned for nothing",
        (Change(f"{TRADING}/replanning.py", "            *filled_before,\n", ""),),
        (f"{CATCHING_UP}::test_what_was_filled_before_slices_were_rejected_counts_for_the_cap",),
    ),
    Defect(
        "What the cap holds up to the end is given up with the window",
        (Change(f"{TRADING}/replan_orders.py", "just_due=just_due, grace=grace, opened", "just_due=just_due, opened"),),
        (
            f"{CATCHING_UP}::test_workers_that_come_back_after_the_window_lose_nothing",
            f"{CATCHING_UP}::test_a_slice_that_was_late_costs_the_last_one_nothing",
        ),
    ),
    Defect(
        "What is being claimed does not count for the cap",
        (
            Change(
                f"{TRADING}/replanning.py",
                "*(Sent(_lacking(one), now) for one in being_claimed)",
                "*()",
            ),
        ),
        (f"{CATCHING_UP}::test_what_is_being_claimed_counts_for_the_cap",),
    ),
    Defect(
        "A rest comes back while something of it may be live",
        (Change(f"{TRADING}/replanning.py", " or one.id in doubted:", ":"),),
        (f"{CATCHING_UP}::test_a_rest_stays_where_it_is_while_anything_of_it_may_be_live",),
    ),
    Defect(
        "An order is done while a rest of it is to come back",
        (Change(f"{TRADING}/order_totals.py", "order.status if order.id in with_rest else ", ""),),
        (f"{CATCHING_UP}::test_an_order_is_not_done_while_a_rest_of_it_is_to_come_back",),
    ),
    Defect(
        "A rest is given up in silence",
        (Change(f"{TRADING}/replanning.py", "    if lost <= 0:\n", "    if True:\n"),),
        (f"{CATCHING_UP}::test_a_rest_is_named_where_it_is_to_be_dropped",),
    ),
    Defect(
        "An order whose first slice was refused goes on",
        (Change(f"{SLICE}/refused.py", "            if refusal.scope is Scope.ORDER:\n", "            if False:\n"),),
        (f"{HOLDS}::test_an_order_whose_first_slice_is_refused_is_not_sent_into_the_same_wall",),
    ),
    Defect(
        "An order of which the broker took something is held for one refusal",
        (Change(f"{SLICE}/refused.py", "    if is_refused and any(", "    if any("),),
        (f"{HOLDS}::test_an_order_of_which_something_was_taken_goes_on_after_a_refusal",),
    ),
    Defect(
        "A price that is refused for ever is nobody's concern",
        (Change(f"{SLICE}/refused.py", "    if refusals == ALARMED_AFTER:", "    if False:"),),
        (f"{HOLDS}::test_a_price_is_tried_each_interval_and_alarmed_of_after_three",),
    ),
    Defect(
        "A cancellation that the account was refused counts as asked for",
        (Change(f"{SLICE}/cancel_working.py", "        if is_account_refused:", "        if False:"),),
        (f"{HOLDS}::test_a_cancellation_that_is_refused_with_the_account_is_not_counted",),
    ),
    Defect(
        "What is held outlives its window",
        (Change(f"{TRADING}/order/recheck.py", "    for_each(over, lambda slice_id: skip_over(slice_id, now))\n", ""),),
        (f"{HOLDS}::test_what_is_held_until_its_window_is_over_is_skipped_with_the_reason",),
    ),
)
