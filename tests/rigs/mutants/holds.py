"""Defects of whose fault a refusal is, and of what is held for it."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, TRADING, Change, Defect

HOLDS = f"{TESTS}/test_holds.py"
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
        "A release drops what does not fit an interval apart",
        (Change(f"{TRADING}/repacing.py", "    if None not in times:\n", "    if times:\n"),),
        (_IN_MID_ORDER, "tests/unit/test_repacing.py::test_what_would_be_lost_is_spread_over_the_rest_of_the_window"),
    ),
    Defect(
        "A release sends all that was missed in a burst",
        (
            Change(
                f"{TRADING}/repacing.py",
                "max(evenly, interval / MOST_OF_PLAN)",
                "evenly",
            ),
        ),
        ("tests/unit/test_repacing.py::test_nothing_goes_out_faster_than_three_times_the_plan",),
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
