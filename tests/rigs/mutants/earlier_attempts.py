"""Defects of what earlier attempts of a slice did, or may still do."""

from tests.rigs.mutants.defect import BOOK, SLICE, STATE_MACHINE, STORE, TESTS, Change, Defect

EARLIER_ATTEMPTS = (
    Defect(
        "The last look does not see earlier attempts",
        (Change(f"{SLICE}/sending.py", "    if look.has_live_duplicate:\n", "    if False:\n"),),
        (
            f"{TESTS}/test_earlier_attempts.py::"
            "test_an_attempt_that_turns_up_between_claim_and_wire_stops_the_next_one",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "The last look does not see late fills",
        (Change(f"{SLICE}/sending.py", "    if look.lacking < claim.claimed.quantity:\n", "    if False:\n"),),
        (
            f"{TESTS}/test_earlier_attempts.py::"
            "test_late_fills_of_an_earlier_attempt_before_the_wire_are_not_bought_again",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A slice is claimed although an attempt of it may be live",
        (Change(f"{STORE}/sql/claim.sql", "WHERE placements.slice_id = ", "WHERE false AND placements.slice_id = "),),
        (
            f"{TESTS}/test_guards.py::"
            "test_a_slice_is_not_claimed_while_an_attempt_of_it_may_be_live_whatever_its_status",
        ),
    ),
    Defect(
        "A slice is put back although an earlier attempt of it may be live",
        (
            Change(
                f"{SLICE}/outcome.py",
                "    live = placements.live_beside(session, one.id, one.client_order_id)\n",
                "    live = None\n",
            ),
        ),
        (
            f"{TESTS}/test_earlier_attempts.py::"
            "test_an_attempt_that_turns_up_between_claim_and_wire_stops_the_next_one",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "Attempts that were taken for absent are looked for by reconcile only",
        (
            Change(f"{BOOK}/reading.py", "    _adopt_presumed_absent(book)\n    return book\n", "    return book\n"),
            Change(
                f"{SLICE}/reconcile.py",
                "        book = read_book(broker, now)\n",
                "        from pulse_core.trading.book.reading import _adopt_presumed_absent\n\n"
                "        book = read_book(broker, now)\n        _adopt_presumed_absent(book)\n",
            ),
        ),
        (f"{TESTS}/test_earlier_attempts.py::test_every_reading_of_the_book_looks_for_presumed_absent_attempts",),
    ),
    Defect(
        "An attempt that turns up leaves its slice in the schedule when another was made since",
        (
            Change(
                f"{BOOK}/adopt.py",
                "    if one.status is SliceStatus.SCHEDULED and not is_over:\n",
                "    is_last = one.client_order_id == attempt.client_order_id\n"
                "    if one.status is SliceStatus.SCHEDULED and is_last and not is_over:\n",
            ),
        ),
        (
            f"{TESTS}/test_earlier_attempts.py::test_it_does_so_also_when_another_attempt_was_made_in_vain_meanwhile",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "What turns up raises no alarm",
        (
            Change(
                f"{BOOK}/adopt.py",
                "    events.alarm(session, AlarmCode.TURNED_UP, order.id, one.id, now, ",
                "    dict(",
            ),
        ),
        (
            f"{TESTS}/test_earlier_attempts.py::test_a_refusal_that_stands_live_or_filled_in_the_book_still_alarms",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A refusal that the book confirms raises the alarm",
        (
            Change(
                f"{BOOK}/adopt.py",
                "    if is_over and row.status is BrokerOrderStatus.REJECTED and",
                "    if not is_over and row.status is BrokerOrderStatus.REJECTED and",
            ),
        ),
        (
            f"{TESTS}/test_earlier_attempts.py::"
            "test_a_refusal_that_also_stands_rejected_in_the_book_is_confirmed_by_it",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "An operator has a slice sent again although an attempt of it may be live",
        (
            Change(
                f"{SLICE}/operations.py",
                "    live = placements.live_beside(session, one.id, None)\n",
                "    live = None\n",
            ),
        ),
        (
            f"{TESTS}/test_earlier_attempts.py::"
            "test_a_slice_is_not_retried_while_an_attempt_of_it_may_be_live_and_is_once_the_book_shows_its_end",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A live order that its slice has gone on from is not called back",
        (Change(f"{SLICE}/reconcile.py", "        call_back_orphans(broker, book, now)\n", ""),),
        (
            f"{TESTS}/test_reconcile.py::"
            "test_an_attempt_that_turns_up_after_its_slice_was_sent_again_is_told_and_called_back",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A slice for which its order has no room is tried for ever",
        (Change(f"{SLICE}/outcome.py", '    if outcome.code == "OVER_QUANTITY":\n', "    if False:\n"),),
        (f"{TESTS}/test_earlier_attempts.py::test_a_slice_is_lowered_to_the_room_that_its_order_has_left",),
    ),
    Defect(
        "A slice of another broker's order is claimed",
        (Change(f"{STORE}/sql/claim.sql", "       AND orders.broker = :broker_account\n", ""),),
        (f"{TESTS}/test_guards.py::test_a_slice_of_another_broker_is_neither_claimed_nor_looked_up_nor_tracked",),
    ),
)
