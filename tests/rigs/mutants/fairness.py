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
                f"{STORE}/new_orders.py",
                'prepared("add_order_within", ONE_OF_ITS_ACCOUNT)',
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
                "            self._taken -= Counter([waiting.asker])\n",
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
                "    of_username = blocks.pop(attempt.by_username, None)\n",
                "    of_username = None\n",
            ),
        ),
        (f"{SESSIONS}::test_a_name_that_is_guessed_from_everywhere_is_open_to_networks_that_it_has_logged_in_from",),
    ),
    Defect(
        "Beside others one account is worked as often as if it were alone",
        (
            Change(
                "api_contract/bulkheads.py",
                "self._size.worked_beside_others is not None and self._askers.are_beside(asker):\n",
                "False:\n",
            ),
        ),
        (f"{PLACES}::test_one_who_is_alone_has_its_share_and_beside_others_one_at_a_time",),
    ),
    Defect(
        "Who is known where they log in waits behind a flood",
        (
            Change(
                "pulse_core/identity/passwords.py",
                "mine = (not goes_first, next(self._numbers))",
                "mine = (False, next(self._numbers))",
            ),
        ),
        (f"{SESSIONS}::test_who_is_known_where_they_log_in_waits_for_nobody_who_is_not",),
    ),
    Defect(
        "Logins from networks that are known have the places of all others",
        (
            Change(
                "gapi_app/guard/concurrency.py",
                "Kind.KNOWN_LOGINS if kind == Kind.LOGINS and is_known(environ) else kind",
                "kind",
            ),
        ),
        (
            "tests/contract/test_bulkheads.py"
            "::test_a_flood_of_logins_leaves_places_to_networks_from_which_somebody_is_let_in",
        ),
    ),
    Defect(
        "A client names its address in another header than the proxy's",
        (Change("gapi_app/guard/proxies.py", "    if variable != _READ:\n", "    if not variable:\n"),),
        ("tests/unit/test_gapi_proxies.py::test_the_client_is_whom_trusted_proxies_name",),
    ),
)
