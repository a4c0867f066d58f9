"""Defects of answers, fences and connections: what is lost, and what is held or sent for too long."""

from tests.rigs.mutants.defect import ADVISORY, SLICE, STATE_MACHINE, STORE, TESTS, WIRE, Change, Defect

ANSWERS = (
    Defect(
        "An answer is dropped when the database is away",
        (
            Change(
                f"{SLICE}/outcome.py",
                "    while boottime() < came_out.received + RECORD_FOR:\n",
                "    while False:\n",
            ),
        ),
        (f"{TESTS}/test_recording.py::test_recording_is_tried_again_while_the_database_is_away",),
    ),
    Defect(
        "A refusal that is answered after its claim expired is dropped",
        (
            Change(
                f"{SLICE}/outcome.py",
                "one.status not in (SliceStatus.SENDING, SliceStatus.UNKNOWN):",
                "one.status is not SliceStatus.SENDING:",
            ),
        ),
        (f"{TESTS}/test_recording.py::test_an_answer_that_comes_after_its_claim_expired_is_recorded", STATE_MACHINE),
    ),
    Defect(
        "An order that is acknowledged after its slice has gone on is dropped",
        (Change(f"{SLICE}/outcome.py", "        adopt(session, attempt, row, now)\n", "        del row\n"),),
        (
            f"{TESTS}/test_recording.py::"
            "test_an_order_acknowledged_after_its_slice_was_put_back_is_followed_and_nothing_is_sent_beside_it",
        ),
    ),
    Defect(
        "An acknowledgement is compared without the id of its attempt",
        (
            Change(
                f"{STORE}/sql/acknowledge.sql",
                "slice.client_order_id = answered.client_order_id\n",
                "length(answered.client_order_id) > 0\n",
            ),
        ),
        (f"{TESTS}/test_guards.py::test_an_acknowledgement_of_one_attempt_never_counts_for_another",),
    ),
    Defect(
        "The fence is let go before the outcome is recorded",
        (
            Change(
                f"{SLICE}/recording.py",
                '        failpoint("execute.after_send")\n',
                '        failpoint("execute.after_send")\n        self._fence.keep(())\n',
            ),
        ),
        (f"{TESTS}/test_guards.py::test_the_fence_is_held_until_the_outcome_is_recorded", STATE_MACHINE),
    ),
    Defect(
        "A connection that could not unlock goes back to the pool",
        (
            Change(
                ADVISORY,
                "with suppress(DBAPIError), _invalidated_on_error(connection):",
                "with suppress(DBAPIError):",
            ),
            Change(
                ADVISORY,
                "    connection.invalidate()\n    return False\n",
                "    return False\n",
            ),
        ),
        (f"{TESTS}/test_guards.py::test_a_connection_that_could_not_unlock_does_not_return_to_the_pool",),
    ),
    Defect(
        "A connection whose lock statement failed goes back to the pool",
        (
            Change(
                ADVISORY,
                "with _invalidated_on_error(connection), connection.begin():",
                "with connection.begin():",
            ),
        ),
        (f"{TESTS}/test_fence_leaks.py::test_a_lock_statement_cancelled_after_it_took_the_lock_leaves_no_fence",),
    ),
    Defect(
        "A forked child holds the fences of its parent",
        (
            Change(
                ADVISORY,
                "    return not connection.invalidated and connection.connection.is_valid\n",
                "    return not connection.invalidated\n",
            ),
        ),
        (f"{TESTS}/test_fence_leaks.py::test_a_forked_child_has_no_fence_and_leaves_its_parents_alone",),
    ),
    Defect(
        "A server waits for hours for a client that has vanished",
        (Change("pulse_core/db.py", '    "tcp_keepalives_idle": "5",\n', ""),),
        (f"{TESTS}/test_session_settings.py::test_a_setting_is_in_force_in_transactions_and_on_a_fence",),
    ),
    Defect(
        "The lease is not looked at again under the fence",
        (
            Change(
                f"{SLICE}/leases.py",
                " or one.lease_expires_at is None or one.lease_expires_at > now:",
                " or one.lease_expires_at is None:",
            ),
        ),
        (f"{TESTS}/test_guards.py::test_a_lease_is_looked_at_again_under_the_fence",),
    ),
    Defect(
        "The kernel goes on sending a request that was given up",
        (
            Change(
                "pulse_core/brokers/transport.py",
                "[*HTTPConnection.default_socket_options, RESET_ON_CLOSE]",
                "[*HTTPConnection.default_socket_options]",
            ),
        ),
        (f"{WIRE}::test_every_connection_is_reset_when_it_closes_and_ends_by_itself_within_the_calls_time",),
    ),
    Defect(
        "The kernel of a stopped worker goes on sending",
        (
            Change(
                "pulse_core/brokers/transport.py",
                "        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))\n",
                "        pass\n",
            ),
        ),
        (f"{WIRE}::test_every_connection_is_reset_when_it_closes_and_ends_by_itself_within_the_calls_time",),
    ),
)
