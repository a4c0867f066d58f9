"""Defects of second factors: codes that are good twice, guesses that cost nothing, duties that nobody looks after."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

_PROOF = "pulse_core/identity/proof.py"
_CAUGHT = f"{TESTS}/test_second_factor.py"

SECOND_FACTOR = (
    Defect(
        "A code of a second factor is taken again",
        (Change(_PROOF, "    second_factors.use_step(session, factor.account_id, step)\n", ""),),
        (
            f"{_CAUGHT}::test_each_code_is_taken_once_and_none_that_is_older",
            f"{_CAUGHT}::test_of_many_logins_with_one_code_one_goes_through",
        ),
    ),
    Defect(
        "A recovery code is good for ever",
        (Change(_PROOF, "    second_factors.keep_recovery_codes(session, who, left)\n", ""),),
        (f"{_CAUGHT}::test_a_recovery_code_is_good_once_however_it_is_typed",),
    ),
    Defect(
        "A wrong code of a second factor is no failed login",
        (Change(_PROOF, "    login_throttle.note_failure(session, attempt, account.id, now)\n", ""),),
        (
            f"{_CAUGHT}::test_wrong_codes_are_failed_logins_and_a_missing_one_is_none",
            f"{_CAUGHT}::test_guessing_the_first_code_is_held_up",
        ),
    ),
    Defect(
        "Codes that are guessed at the same time are not held up",
        (
            Change(
                _PROOF,
                "    if held_up := login_throttle.block(session, attempt, now):\n        return held_up\n",
                "",
            ),
        ),
        (f"{_CAUGHT}::test_many_codes_guessed_at_once_are_looked_at_one_by_one",),
    ),
    Defect(
        "Whoever knows the password changes it without a code",
        (Change("pulse_core/identity/accounts.py", "    _prove(account_id, proof, attempt, now)\n", ""),),
        (f"{_CAUGHT}::test_changing_a_password_takes_a_code_and_keeps_the_second_factor",),
    ),
    Defect(
        "A role that needs a second factor does everything without",
        (
            Change(
                "api_contract/blueprint.py",
                "                if _asks_for_enrolment(notes):\n                    self.check_enrolled()\n",
                "",
            ),
        ),
        (
            "tests/contract/test_second_factor.py::test_an_admin_who_needs_one_can_only_set_it_up",
            "tests/contract/test_second_factor.py::test_pulse_itself_refuses_who_must_set_one_up",
        ),
    ),
)
