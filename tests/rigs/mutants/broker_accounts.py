"""Defects in what keeps broker accounts apart, and in who may trade with them."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, Change, Defect

_TESTS = f"{TESTS}/test_broker_accounts.py"
_HANGS = "test_an_account_that_hangs_holds_up_no_other_and_is_told_of_when_it_is_over"
_ACCOUNTS = "pulse_core/broker_accounts"

BROKER_ACCOUNTS = (
    Defect(
        "A slice is tried with every account that there is",
        (
            Change(
                f"{SLICE}/execute.py",
                "        of_account = [one for one in slice_ids if account_of.get(one) == broker.name]\n",
                "        of_account = list(account_of)\n",
            ),
            Change(f"{STORE}/sql/claim.sql", "       AND orders.broker = :broker_account\n", ""),
        ),
        (f"{_TESTS}::test_each_slice_is_placed_with_the_account_of_its_order",),
    ),
    Defect(
        "A fill is booked for whatever order has its id, at whatever broker",
        (
            Change(
                f"{STORE}/placements.py",
                "        .where(Placement.broker_account == broker_account, any_of(",
                "        .where(any_of(",
            ),
        ),
        (f"{_TESTS}::test_fills_and_ends_are_those_of_the_own_book_though_ids_are_the_same",),
    ),
    Defect(
        "An account that hangs is waited for",
        (
            Change(
                "pulse_core/brokers/side_by_side.py",
                "    wait(begun, timeout=patience)\n",
                "    wait(begun)\n",
            ),
        ),
        (f"{_TESTS}::{_HANGS}",),
    ),
    Defect(
        "What hangs is begun again and again",
        (
            Change(
                "pulse_core/brokers/side_by_side.py",
                "            if key not in _under_way:\n",
                "            if True:\n",
            ),
        ),
        (f"{_TESTS}::{_HANGS}",),
    ),
    Defect(
        "An account may have every thread of a worker",
        (
            Change(
                f"{SLICE}/shares.py",
                "    return free > taken + 1 or (taken == 0 and free > 0)\n",
                "    return free > 0\n",
            ),
        ),
        (
            f"{_TESTS}::test_an_account_that_has_its_share_of_threads_leaves_its_slices_and_costs_them_nothing",
            "tests/unit/test_shares.py::test_the_first_account_gets_half_the_second_half_of_the_rest_and_each_gets_one",
        ),
    ),
    Defect(
        "What found no thread waits until it is overdue",
        (
            Change(
                "pulse_tasks/watch.py", "    for batch in shares.take_aside(broker.name):\n", "    for batch in ():\n"
            ),
        ),
        (f"{TESTS}/test_watch.py::test_what_found_no_thread_is_placed_at_the_next_look_long_before_it_is_overdue",),
    ),
    Defect(
        "What finds no thread at a look either is forgotten until it is overdue",
        (Change("pulse_tasks/watch.py", "            shares.put_aside(broker.name, batch)\n", "            pass\n"),),
        (f"{TESTS}/test_watch.py::test_what_finds_no_thread_at_a_look_either_is_placed_at_the_one_after",),
    ),
    Defect(
        "A process that has compared one account sends for all",
        (
            Change(
                "pulse_core/trading/recovery/sending_hold.py",
                "    return _clearance(db.fence_engine(), broker_account).is_given(lineage(db.fence_engine()))\n",
                '    return _clearance(db.fence_engine(), "paper").is_given(lineage(db.fence_engine()))\n',
            ),
        ),
        (f"{_TESTS}::test_an_account_whose_database_was_not_compared_sends_nothing_and_the_others_do",),
    ),
    Defect(
        "The paper account is reached wherever its address may be",
        (
            Change(
                f"{_ACCOUNTS}/reach.py",
                "    if account.name == PAPER and not settings().has_paper_exchange:\n        return None\n",
                "    if account.name == PAPER:\n        return _of_the_environment(account.name)\n",
            ),
        ),
        (
            f"{_TESTS}::test_the_credentials_of_the_environment_are_those_of_one_account_"
            "and_new_ones_make_a_new_connection",
        ),
    ),
    Defect(
        "Anybody may trade with a live account",
        (
            Change(
                f"{_ACCOUNTS}/access.py",
                "    if known.is_live and not _is_granted(account_id, name):\n",
                "    if False:\n",
            ),
        ),
        (f"{_TESTS}::test_an_order_names_an_account_that_there_is_and_that_is_granted",),
    ),
    Defect(
        "The end of a grant forgets the orders that were placed with it",
        (
            Change(
                "pulse_core/trading/order/accept.py",
                "    UnknownBrokerAccount,\n    BrokerAccountNotGranted,\n    PlanChanged,\n",
                "    PlanChanged,\n",
            ),
        ),
        (f"{_TESTS}::test_an_order_names_an_account_that_there_is_and_that_is_granted",),
    ),
)
