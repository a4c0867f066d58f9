"""Defects of what the broker's port tells: an order that is there already, an id looked up, rows of others."""

from tests.rigs.mutants.defect import SLICE, TESTS, Change, Defect

PORT = (
    Defect(
        "What the broker says is there already is taken for absent in the end",
        (
            Change(
                f"{SLICE}/resolve.py",
                '    if settings().settle_delay == "never" or one.error_code == ALREADY_THERE:\n',
                '    if settings().settle_delay == "never":\n',
            ),
        ),
        (
            f"{TESTS}/test_already_there.py::"
            "test_what_the_broker_says_is_there_is_never_taken_for_absent_but_left_to_an_operator",
        ),
    ),
    Defect(
        "What the broker says is there already counts as refused",
        (
            Change(
                f"{SLICE}/sending.py",
                "            return Outcome(PlacementOutcome.UNKNOWN, None, error.code, error.message, sent_at)\n"
                "        return Outcome(PlacementOutcome.ACKNOWLEDGED",
                "            return Outcome(PlacementOutcome.REFUSED, None, error.code, error.message, sent_at)\n"
                "        return Outcome(PlacementOutcome.ACKNOWLEDGED",
            ),
        ),
        (f"{TESTS}/test_already_there.py::test_without_an_id_it_is_found_in_the_book",),
    ),
    Defect(
        "An id that was not found once is taken for absent",
        (
            Change(
                f"{SLICE}/resolve.py",
                "    elif one.id in absences.note(session, [one], look).settled:\n",
                "    else:\n",
            ),
        ),
        (f"{TESTS}/test_already_there.py::test_an_id_that_is_in_use_nowhere_for_long_enough_was_not_placed",),
    ),
    Defect(
        "An id that could not be looked up still counts as absent since before",
        (
            Change(
                f"{SLICE}/resolve.py",
                "        begin_delays_anew(broker.name, now)\n        with db.transaction() as session:\n"
                "            at_broker.postpone_looks(session, [one.id], now + LOOK_AGAIN_AFTER, now)\n",
                "        pass\n",
            ),
        ),
        (f"{TESTS}/test_already_there.py::test_a_look_that_failed_begins_the_wait_anew",),
    ),
    Defect(
        "An order of ours that cannot be read is left out of the book",
        (Change("pulse_core/brokers/zerodha/rows.py", "            if not is_others:\n                raise\n", ""),),
        ("tests/unit/test_zerodha_books.py::test_one_order_in_doubt_makes_the_whole_book_unavailable",),
    ),
    Defect(
        "Alpaca's word that an id is in use counts as a refusal",
        (
            Change(
                "pulse_core/brokers/alpaca/errors.py",
                "    if 400 <= call.status < 500 and _IN_USE.search(message):\n",
                "    if False:\n",
            ),
        ),
        (
            f"{TESTS}/test_broker_conformance.py::"
            "test_the_same_order_again_is_told_to_be_there_or_is_another_order_and_never_a_refusal",
        ),
    ),
    Defect(
        "A page that is not there says that an order is not there",
        (
            Change(
                "pulse_core/brokers/alpaca/broker.py",
                ' and call.status == 404 and isinstance(row, dict) and "code" in row:',
                " and call.status == 404:",
            ),
        ),
        (
            "tests/unit/test_alpaca.py::"
            "test_an_order_is_found_by_its_own_id_and_only_a_clear_answer_says_that_there_is_none",
        ),
    ),
    Defect(
        "The first page passes for the whole book",
        (
            Change(
                "pulse_core/brokers/alpaca/broker.py",
                "            if len(page) < ORDERS_OF_A_PAGE:\n",
                "            if page is not None:\n",
            ),
        ),
        (f"{TESTS}/test_broker_conformance.py::test_a_book_of_many_pages_is_read_whole_and_each_row_once",),
    ),
)
