"""Defects of what keeps one from stopping another: places, caps, logins."""

from tests.rigs.mutants.defect import STORE, TESTS, TRADING, Change, Defect

CAPS = f"{TESTS}/test_caps.py"
SESSIONS = f"{TESTS}/test_sessions.py"
PLACES = "tests/unit/test_bulkheads.py"

FAIRNESS = (
    Defect(
        "Orders of one account are counted side by side",
        (
            Change(
                f"{STORE}/orders.py",
                'prepared("add_order_within", _ONE_OF_ITS_ACCOUNT)',
                'prepared("add_order_within")',
            ),
        ),
        (f"{CAPS}::test_a_race_does_not_pass_the_cap",),
    ),
    Defect(
        "A cap counts what everybody has open",
        (
            Change(
                f"{STORE}/sql/account_load.sql",
                "     WHERE account_id = :account_id AND status IN",
                "     WHERE (account_id = :account_id OR true) AND status IN",
            ),
        ),
        (f"{CAPS}::test_an_account_has_so_many_open_orders",),
    ),
    Defect(
        "A greedy account leaves nothing of a window to others",
        (
            Change(
                f"{TRADING}/admission/capacity.py",
                "        if one > left // users:\n            break\n",
                "",
            ),
        ),
        ("tests/unit/test_capacity.py::test_one_gets_an_equal_part_and_what_others_leave",),
    ),
    Defect(
        "A place that was waited for in vain stays taken",
        (
            Change(
                "api_contract/bulkheads.py",
                "                self._taken -= Counter([asker])\n",
                "",
            ),
        ),
        (f"{PLACES}::test_so_many_are_worked_and_one_more_waits_for_a_moment_only",),
    ),
    Defect(
        "Who guesses a password locks its user out everywhere",
        (
            Change(
                "pulse_core/identity/login_throttle.py",
                "        return TERMINAL if self.address is None else network_of(self.address)\n",
                "        return TERMINAL\n",
            ),
        ),
        (f"{SESSIONS}::test_who_guesses_elsewhere_locks_nobody_out",),
    ),
    Defect(
        "A name that is guessed from everywhere is closed to its user too",
        (
            Change(
                "pulse_core/identity/login_throttle.py",
                "not login_networks.is_known(session, attempt.username, attempt.network):\n",
                "True:\n",
            ),
        ),
        (f"{SESSIONS}::test_a_name_that_is_guessed_from_everywhere_is_open_to_networks_that_it_has_logged_in_from",),
    ),
)
