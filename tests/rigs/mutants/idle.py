"""Defects of how work is found by a look, so that nothing is asked for in vain."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

OUTLOOK, BEAT, RUNNER = f"{TESTS}/test_outlook.py", f"{TESTS}/test_beat.py", "tests/unit/test_sweep_runner.py"

IDLE = (
    Defect(
        "A look does not see slices before they are due",
        (Change("pulse_core/sql/outlook.sql", "clock_timestamp() + :horizon", "clock_timestamp() + 0 * :horizon"),),
        (f"{OUTLOOK}::test_a_look_tells_the_sweeps_that_may_find_something",),
    ),
    Defect(
        "A look does not see orders that lost their message",
        (Change("pulse_core/sql/outlook.sql", "FROM orders WHERE status = 'PENDING'", "FROM orders WHERE false"),),
        (f"{OUTLOOK}::test_a_look_tells_the_sweeps_that_may_find_something",),
    ),
    Defect(
        "Beat asks for nothing while nobody can look",
        (
            Change(
                "pulse_tasks/beat.py",
                '            log.debug("look put off", reason=str(away))\n            return PERIODS.keys()\n',
                '            log.debug("look put off", reason=str(away))\n            return ()\n',
            ),
        ),
        (f"{BEAT}::test_beat_asks_for_all_sweeps_while_nobody_can_look",),
    ),
    Defect(
        "A look stands for a run that failed",
        (Change("pulse_tasks/sweep_runner.py", "if name not in self._failed_at and now", "if now"),),
        (f"{RUNNER}::test_no_look_stands_for_a_run_that_failed_or_for_all_runs_of_a_minute",),
    ),
    Defect(
        "A look stands for runs for ever",
        (Change("pulse_tasks/sweep_runner.py", "LONGEST_UNRUN = 60.0", 'LONGEST_UNRUN = float("inf")'),),
        (f"{RUNNER}::test_no_look_stands_for_a_run_that_failed_or_for_all_runs_of_a_minute",),
    ),
    Defect(
        "A postback says nothing to those who look for slices in doubt",
        (Change("pulse_tasks/sweeps.py", "_HINTED_AT_TOO.get(task, ()) if hint else ()", "()"),),
        (f"{TESTS}/test_hints.py::test_a_hint_has_working_slices_and_those_in_doubt_looked_at",),
    ),
)
