"""Defects of turns under the broker's limits."""

from tests.rigs.mutants.defect import STORE, TESTS, TRADING, Change, Defect

ADMIT = f"{TESTS}/test_admission.py"
RULES = "tests/unit/test_admission.py"

ADMISSION = (
    Defect(
        "A slice is claimed without a turn",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "       AND (:turn_lasts IS NULL\n",
                "       AND (:turn_lasts IS NULL OR true\n",
            ),
        ),
        (f"{ADMIT}::test_a_slice_without_a_turn_is_not_claimed",),
    ),
    Defect(
        "A turn can be used again",
        (
            Change(f"{STORE}/sql/claim.sql", "           turn_at = NULL,\n", ""),
            Change(f"{STORE}/sql/claim.sql", "           admitted_at = slice.turn_at,\n", ""),
        ),
        (f"{ADMIT}::test_a_turn_is_good_for_one_call",),
    ),
    Defect(
        "A turn can be used long after its time",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "slice.turn_at + :turn_lasts >= moment.now",
                "slice.turn_at + 100 * :turn_lasts >= moment.now",
            ),
        ),
        (f"{ADMIT}::test_a_turn_counts_from_its_instant_for_a_second",),
    ),
    Defect(
        "Turns are given without regard to those that others give at the same time",
        (Change(f"{STORE}/sql/give_turns.sql", " AND version = :version\n", " AND :version > 0\n"),),
        (f"{ADMIT}::test_an_admission_that_somebody_else_came_before_looks_again",),
    ),
    Defect(
        "A missed turn counts as a call",
        (
            Change(
                f"{STORE}/sql/give_turns.sql",
                "turn.at = given.missed_at AND turn.slice_id",
                "false AND turn.slice_id",
            ),
        ),
        (f"{ADMIT}::test_a_missed_turn_is_given_anew_and_was_no_call",),
    ),
    Defect(
        "A missed turn is not given anew",
        (
            Change(
                f"{STORE}/sql/waiting.sql",
                "(slice.turn_at IS NULL OR slice.turn_at < :missed_before OR",
                "(slice.turn_at IS NULL OR :missed_before IS NULL OR",
            ),
        ),
        (f"{ADMIT}::test_a_missed_turn_is_given_anew_and_was_no_call",),
    ),
    Defect(
        "The oldest slices go first, whosever they are",
        (
            Change(
                f"{STORE}/sql/waiting.sql",
                "          CASE WHEN one.due_at <= :now THEN one.turn_of_account END,\n"
                "          CASE WHEN one.due_at <= :now THEN served_accounts.at END NULLS FIRST,\n",
                "",
            ),
        ),
        (
            f"{ADMIT}::test_accounts_have_turns_and_within_them_their_orders",
            f"{ADMIT}::test_whoever_was_served_last_comes_last_in_the_next_round",
        ),
    ),
    Defect(
        "In a rush turns are given as far ahead as there is room",
        (Change(f"{TRADING}/admission/plan.py", "AHEAD = 3 * SECOND // 2\n", "AHEAD = 60 * SECOND\n"),),
        (f"{ADMIT}::test_a_newcomer_does_not_wait_for_the_rush_of_another",),
    ),
    Defect(
        "A window holds one call too many",
        (Change(f"{TRADING}/admission/windows.py", "        if ends - starts < ", "        if ends - starts + 1 < "),),
        (f"{RULES}::test_a_call_goes_at_the_first_instant_that_keeps_every_window",),
    ),
    Defect(
        "Turns in a window that the broker says is full are kept",
        (
            Change(
                f"{STORE}/sql/mark_full.sql",
                "     WHERE turn.at > mine.now AND turn.at < mine.full_until\n",
                "     WHERE false\n",
            ),
        ),
        (f"{ADMIT}::test_turns_in_a_window_that_is_full_are_withdrawn_and_given_after_it",),
    ),
    Defect(
        "A broker that refuses again after a pause is paused no longer than before",
        (Change(f"{STORE}/sql/mark_full.sql", "least(2 * (", "least(1 * ("),),
        (f"{ADMIT}::test_each_refusal_soon_after_a_pause_doubles_it_up_to_a_minute",),
    ),
    Defect(
        "Cancels wait behind placements",
        (Change(f"{STORE}/sql/give_turns_to_cancels.sql", "     LIMIT :lacking\n", "     LIMIT 0 * :lacking\n"),),
        (f"{ADMIT}::test_cancels_take_the_turns_of_placements_and_wait_a_second_at_most",),
    ),
    Defect(
        "A placement keeps the turn that a cancel has taken",
        (
            Change(
                f"{STORE}/sql/give_turns_to_cancels.sql",
                "       SET turn_at = NULL,\n",
                "       SET turn_at = slice.turn_at,\n",
            ),
        ),
        (f"{ADMIT}::test_cancels_take_the_turns_of_placements_and_wait_a_second_at_most",),
    ),
    Defect(
        "The watch leaves giving turns to others for ever",
        (Change("pulse_tasks/watch.py", "    if is_neglected:\n", "    if False:\n"),),
        (f"{ADMIT}::test_the_watch_gives_turns_only_where_nobody_else_does",),
    ),
)
