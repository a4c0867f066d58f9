"""Defects of halts: what is sent all the same, what is not called back, and what the receipt leaves out."""

from tests.rigs.mutants.defect import SLICE, STATE_MACHINE, STORE, TESTS, TRADING, Change, Defect

HALTS = f"{TESTS}/test_halts.py"

OF_HALTS = (
    Defect(
        "The claim does not ask whether anybody has halted the order",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "                        WHERE halt.released_at IS NULL\n",
                "                        WHERE false\n",
            ),
        ),
        (f"{HALTS}::test_nothing_that_a_halt_covers_is_claimed",),
    ),
    Defect(
        "The last look does not see a halt",
        (
            Change(
                f"{STORE}/sql/last_look.sql",
                "                      WHERE halt.released_at IS NULL\n",
                "                      WHERE false\n",
            ),
        ),
        (f"{HALTS}::test_what_was_claimed_before_the_halt_is_stopped_at_the_last_look", STATE_MACHINE),
    ),
    Defect(
        "A request may leave long after the last look",
        (Change(f"{SLICE}/sending.py", "LOOK_LASTS = 0.9", "LOOK_LASTS = 900"),),
        (f"{HALTS}::test_a_request_leaves_within_a_second_of_the_last_look_or_never", STATE_MACHINE),
    ),
    Defect(
        "What is halted is called back when its turn among the others comes",
        (Change(f"{STORE}/at_broker.py", "            is_halted.desc(),\n", ""),),
        (f"{HALTS}::test_what_works_is_called_back_before_anything_else_and_the_receipt_tells_of_it",),
    ),
    Defect(
        "A halt is released before its orders have new times",
        (
            Change(
                f"{TRADING}/halts/watch.py",
                "        _replan_by_itself(order_id, known, now)\n",
                "        pass\n",
            ),
        ),
        (f"{HALTS}::test_a_release_gives_what_was_missed_new_times_and_sends_no_rush",),
    ),
    Defect(
        "A release that is under way ends what was halted again",
        (Change(f"{TRADING}/halts/watch.py", "halt is None or halt.release_asked_at is None", "halt is None"),),
        (f"{HALTS}::test_halting_again_what_is_being_released_keeps_it_halted",),
    ),
    Defect(
        "A receipt is quiet while the fate of an attempt is not known",
        (Change(f"{STORE}/halts.py", "waited_for = [HaltedState.UNKNOWN.value]", "waited_for: list[str] = []"),),
        (
            f"{HALTS}::test_a_slice_that_nobody_knows_the_fate_of_keeps_the_halt_from_being_quiet",
            STATE_MACHINE,
        ),
    ),
)
