"""Defects of plans, and of asking the broker about money."""

from tests.rigs.mutants.defect import SLICE, TESTS, TRADING, Change, Defect

ORDER = f"{TRADING}/order"
RECHECK = f"{TESTS}/test_recheck_money.py"
PREVIEW = f"{TESTS}/test_order_preview.py"
_ONE_REFUSAL_EACH = f"{RECHECK}::test_each_recheck_costs_one_refused_call_and_they_lie_further_and_further_apart"

MONEY = (
    Defect(
        "An order that goes on sends all that it missed before the first answer",
        (Change(f"{ORDER}/recheck_money.py", "        _try_one(session, order, now)\n", ""),),
        (f"{RECHECK}::test_nothing_else_goes_out_before_the_first_slice_is_answered",),
    ),
    Defect(
        "An order that is refused again is asked about as soon as the first time",
        (Change(f"{SLICE}/refused.py", "FIRST_ASKED_AFTER * (1 << min(before, 20))", "FIRST_ASKED_AFTER"),),
        (_ONE_REFUSAL_EACH,),
    ),
    Defect(
        "What one order is let go with is there for the next",
        (Change(f"{ORDER}/recheck_money.py", "            left -= margin\n", ""),),
        (f"{RECHECK}::test_what_one_order_is_let_go_with_is_not_there_for_the_next",),
    ),
    Defect(
        "Shares at the broker to be sold count as free",
        (Change(f"{ORDER}/recheck_money.py", "            free[instrument] -= offered\n", "            pass\n"),),
        (f"{RECHECK}::test_shares_that_are_at_the_broker_to_be_sold_are_not_free",),
    ),
    Defect(
        "More shares than there are can be sold for real",
        (Change(f"{ORDER}/accept.py", "            holdings.check_holdings(row)\n", "            pass\n"),),
        (f"{TESTS}/test_order_money.py::test_more_shares_than_are_free_cannot_be_sold_for_real",),
    ),
    Defect(
        "An order placed with a plan has a schedule of its own",
        (Change(f"{ORDER}/accept.py", ' | {"seed": plan.seed}', ""),),
        (f"{PREVIEW}::test_a_randomized_order_has_the_schedule_of_its_plan",),
    ),
    Defect(
        "A plan that has changed is passed over",
        (Change(f"{ORDER}/plan_tokens.py", "    if differs:\n", "    if False:\n"),),
        (f"{PREVIEW}::test_each_input_that_is_not_the_same_is_named",),
    ),
)
