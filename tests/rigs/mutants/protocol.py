"""Defects of claiming, sending, following and ending."""

from tests.rigs.mutants.defect import ADVISORY, BOOK, SLICE, STATE_MACHINE, STORE, TESTS, TRADING, Change, Defect

MATRIX = f"{TESTS}/test_failure_matrix.py::test_a_slice_is_at_the_broker_once_whatever_becomes_of_its_worker"
SENDING_FENCE = f"{TESTS}/test_sending_fence.py"

PROTOCOL = (
    Defect(
        "The fence is not there: every worker gets it",
        (Change(ADVISORY, "[row.id for row in rows if row.is_held]", "[row.id for row in rows]"),),
        (f"{TESTS}/test_fence.py::test_a_fence_is_held_by_one_and_free_after_its_block",),
    ),
    Defect(
        "A cut fence works on over a new connection",
        (Change("pulse_core/db.py", "        if not advisory.stands(self._connection):\n", "        if False:\n"),),
        (f"{TESTS}/test_fence.py::test_a_cut_fence_never_works_over_a_new_connection_and_is_free_for_others",),
    ),
    Defect(
        "The last look is made over another connection than the fence",
        (
            Change(
                f"{SLICE}/sending.py",
                "    with fence.statement() as connection:\n        looks",
                "    from pulse_core import db\n\n    with db.statement() as connection:\n        looks",
            ),
        ),
        (MATRIX, f"{SENDING_FENCE}::test_with_its_session_go_the_slices_that_are_not_on_the_wire"),
    ),
    Defect(
        "The fence of a process is held where others share the session",
        (Change("pulse_core/sending_fence.py", "_process_of(db.fence_engine())", "_process_of(db.engine())"),),
        (f"{TESTS}/test_poolers.py::test_with_sessions_of_their_own_slices_are_placed_through_a_proxy_that_shares",),
    ),
    Defect(
        "Shared sessions need no time limits of their own",
        (Change("pulse_core/postgres/poolers.py", "        if wrong:\n", "        if False:\n"),),
        (
            f"{TESTS}/test_poolers.py"
            "::test_a_proxy_behind_which_a_transaction_could_go_on_for_ever_is_refused_with_the_mend",
        ),
    ),
    Defect(
        "What a lost session held is sent by the leave of the one that came after it",
        (
            Change(
                "pulse_core/sending_fence.py",
                "            self.check_stands()\n",
                "            self._session = self._process._standing()\n",
            ),
        ),
        (f"{SENDING_FENCE}::test_with_its_session_go_the_slices_that_are_not_on_the_wire",),
    ),
    Defect(
        "Two threads of one process get the same slice",
        (
            Change(
                "pulse_core/sending_fence.py",
                "[one for one in slice_ids if one not in session.held]",
                "slice_ids",
            ),
        ),
        (f"{SENDING_FENCE}::test_threads_of_one_process_keep_each_other_off_a_slice",),
    ),
    Defect(
        "A slice is let go in the session that another thread holds it in by now",
        (
            Change(
                "pulse_core/sending_fence.py",
                "                db.unlock(session.connection, list(slice_ids))\n",
                "                db.unlock((self._session or session).connection, list(slice_ids))\n",
            ),
        ),
        (f"{SENDING_FENCE}::test_who_has_lost_a_slice_with_the_session_does_not_let_it_go_for_who_has_it_now",),
    ),
    Defect(
        "A thread that waits for the session of its process waits without end",
        (Change("pulse_core/sending_fence.py", "acquire(timeout=patience)", "acquire()"),),
        (f"{SENDING_FENCE}::test_a_session_that_hangs_holds_up_others_for_no_longer_than_their_patience",),
    ),
    Defect(
        "A forked child waits for a thread of its parent",
        (Change("pulse_core/sending_fence.py", "        one.start()\n", "        pass\n"),),
        (f"{SENDING_FENCE}::test_a_child_forked_while_a_thread_uses_the_session_does_not_wait_for_it",),
    ),
    Defect(
        "A slice is claimed over a connection to another database than was compared",
        (Change(f"{SLICE}/claiming.py", "if not sending_hold.is_cleared(broker_account):", "if False:"),),
        (f"{SENDING_FENCE}::test_nothing_is_claimed_over_a_connection_to_another_database",),
    ),
    Defect(
        "A request without an answer counts as not sent, and is sent again",
        (
            Change(
                f"{SLICE}/sending.py",
                "    except OutcomeUnknown as error:\n        return Outcome(PlacementOutcome.UNKNOWN, None,",
                "    except OutcomeUnknown as error:\n        return Outcome(PlacementOutcome.NOT_SENT, None,",
            ),
        ),
        (
            f"{TESTS}/test_execute.py::test_a_lost_answer_makes_the_slice_unknown_and_it_is_not_sent_again",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "The outcome is recorded before the broker is called",
        (
            Change(
                f"{SLICE}/sending.py",
                "        take([_answer(going[0], broker)])\n",
                "        guessed = Outcome(PlacementOutcome.ACKNOWLEDGED, going[0].claimed.client_order_id)\n"
                "        take([Answer(going[0], guessed)])\n"
                "        take([_answer(going[0], broker)])\n",
            ),
        ),
        (
            f"{TESTS}/test_execute.py::test_a_due_slice_is_placed_with_its_quantity_and_becomes_working",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "The last check before the wire is left out",
        (
            Change(
                f"{SLICE}/sending.py",
                "            _check_may_send(looks.get(one.slice_id), one)\n",
                "            looks.get(one.slice_id)\n",
            ),
        ),
        (f"{TESTS}/test_fence.py::test_an_order_cancelled_after_the_claim_is_not_sent", STATE_MACHINE),
    ),
    Defect(
        "A worker sends however late it is",
        (Change(f"{SLICE}/claiming.py", "started + config.lease - config.broker_timeout", "started + 86_400"),),
        (f"{TESTS}/test_lost_races.py::test_a_request_must_leave_before_its_lease_can_be_over",),
    ),
    Defect(
        "A worker that is stopped while it claims gains on its lease",
        (
            Change(
                f"{SLICE}/claiming.py",
                "    not_after = started + config.lease - config.broker_timeout\n",
                "    not_after = boottime() + config.lease - config.broker_timeout\n",
            ),
        ),
        (f"{TESTS}/test_lost_races.py::test_a_worker_stopped_while_it_reads_the_clock_gains_nothing_on_its_lease",),
    ),
    Defect(
        "The client order id of an earlier attempt is used again",
        (
            Change(
                f"{SLICE}/claiming.py",
                "client_order_ids.client_order_id(key, slice_id, attempt)",
                "client_order_ids.client_order_id(key, slice_id, 1)",
            ),
        ),
        (f"{TESTS}/test_retry.py::test_a_retried_slice_is_placed_again_under_a_new_client_order_id",),
    ),
    Defect(
        "A status is written without regard to the one that was seen",
        (
            Change(
                f"{STORE}/slices.py",
                ".where(OrderSlice.id == one.id, status_is(OrderSlice.status, seen))",
                ".where(OrderSlice.id == one.id)",
            ),
        ),
        (f"{TESTS}/test_lost_races.py::test_a_slice_cancelled_while_it_was_being_claimed_stays_cancelled",),
    ),
    Defect(
        "A slice is claimed whatever its status",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "     WHERE slice.status || '' = :from_status\n",
                "     WHERE length(:from_status) > 0\n",
            ),
        ),
        (f"{TESTS}/test_guards.py::test_only_a_slice_that_waits_to_be_sent_is_claimed",),
    ),
    Defect(
        "An order that somebody else has locked is split all the same",
        (
            Change(
                f"{STORE}/orders.py",
                "rows.order_by(Order.id).with_for_update(skip_locked=True, key_share=True)",
                "rows.order_by(Order.id)",
            ),
        ),
        (f"{TESTS}/test_split.py::test_an_order_that_somebody_holds_locked_is_left_and_the_others_are_split",),
    ),
    Defect(
        "A split waits for an order that somebody else has locked",
        (
            Change(
                f"{STORE}/orders.py",
                "with_for_update(skip_locked=True, key_share=True)",
                "with_for_update(key_share=True)",
            ),
        ),
        (f"{TESTS}/test_split.py::test_an_order_that_somebody_holds_locked_is_left_and_the_others_are_split",),
    ),
    Defect(
        "An order that cannot be split holds up the others of its message",
        (
            Change(
                f"{TRADING}/order/split.py",
                "    for_each_batch(_batches(order_ids), lambda batch: _split(batch, now))\n",
                "    for batch in _batches(order_ids):\n        _split(batch, now)\n",
            ),
        ),
        (f"{TESTS}/test_split.py::test_a_defect_in_one_order_holds_up_none_of_the_others",),
    ),
    Defect(
        "The slices of orders that are split together are woken before they are committed",
        (
            Change(
                f"{TRADING}/order/split.py",
                '    failpoint("split.after_commit")\n    for order in pending:\n'
                "        with continued(order.trace):\n"
                "            _wake(order, schedules[order.id], horizon)\n",
                '    failpoint("split.after_commit")\n    for order in pending:\n'
                "        with continued(order.trace):\n",
            ),
            Change(
                f"{TRADING}/order/split.py",
                '        failpoint("split.before_commit")\n',
                "        for order in pending:\n            _wake(order, schedules[order.id], horizon)\n"
                '        failpoint("split.before_commit")\n',
            ),
        ),
        (f"{TESTS}/test_split.py::test_a_crash_before_the_commit_leaves_every_order_to_the_sweep",),
    ),
    Defect(
        "The slices of orders that are split together have the trace of the first",
        (
            Change(
                f"{TRADING}/order/split.py",
                "        with continued(order.trace):\n            _wake(",
                "        with continued(pending[0].trace):\n            _wake(",
            ),
        ),
        (f"{TESTS}/test_split.py::test_each_order_of_a_message_has_its_own_trace_in_wake_ups_and_log_lines",),
    ),
    Defect(
        "Orders that are split together begin without an event",
        (
            Change(
                f"{TRADING}/order/split.py",
                "    events.add_all(session, orders.begin_all(session, begun, now), now)\n",
                "    orders.begin_all(session, begun, now)\n",
            ),
        ),
        (f"{TESTS}/test_split.py::test_orders_of_one_message_are_each_split_as_if_alone",),
    ),
    Defect(
        "Two dispatchers take the same slices",
        (Change(f"{STORE}/due_slices.py", ".with_for_update(of=OrderSlice, skip_locked=True, key_share=True)", ""),),
        (f"{TESTS}/test_dispatch.py::test_two_dispatchers_at_once_never_take_a_slice_twice",),
    ),
    Defect(
        "The filled quantity is incremented by what the book reports",
        (
            Change(
                f"{STORE}/fills.py",
                "    for slice_id, quantity, price, traded_at in booked:\n",
                "    for slice_id, quantity, price, traded_at in"
                " [(slice_id, one.quantity, one.price, one.traded_at) for slice_id, one in trades]:\n",
            ),
            Change(
                f"{SLICE}/fills.py",
                "Holding(one.id, booked.filled,",
                "Holding(one.id, one.filled_quantity + added[one.id].quantity,",
            ),
            Change(
                f"{SLICE}/fills.py",
                "Ending(one, to, booked.filled,",
                "Ending(one, to, one.filled_quantity + booked.filled,",
            ),
        ),
        (f"{TESTS}/test_track.py::test_partial_fills_keep_a_slice_working_until_the_last", STATE_MACHINE),
    ),
    Defect(
        "A trade that is reported again is booked again",
        (
            Change(
                f"{STORE}/sql/add_fills.sql",
                "    ON CONFLICT DO NOTHING\n",
                "",
            ),
        ),
        (f"{TESTS}/test_track.py::test_partial_fills_keep_a_slice_working_until_the_last", STATE_MACHINE),
    ),
    Defect(
        "An order that is absent once counts as absent",
        (
            Change(
                f"{STORE}/sql/note_absence.sql",
                "watched_since IS NOT NULL AND :started_at >= watched_since + :settle_delay",
                "watched_since IS NULL OR :started_at >= watched_since + :settle_delay",
            ),
        ),
        (f"{TESTS}/test_resolve.py::test_absent_once_proves_nothing", STATE_MACHINE),
    ),
    Defect(
        "A book that cannot be read counts as empty",
        (
            Change(
                f"{BOOK}/reading.py",
                "    orders = broker.order_book(asked_since)\n",
                "    try:\n        orders = broker.order_book(asked_since)\n"
                "    except Exception:\n        orders = []\n",
            ),
        ),
        (
            f"{TESTS}/test_resolve.py::test_a_book_that_cannot_be_read_proves_no_absence_and_is_asked_again_after_a_pause",
        ),
    ),
    Defect(
        "A claim expires although its worker holds the fence",
        (
            Change(
                f"{SLICE}/leases.py",
                "        if fence is None:\n            return\n        with fence.transaction() as session:\n",
                "        with (fence or db).transaction() as session:\n",
            ),
        ),
        (f"{TESTS}/test_fence.py::test_a_stopped_worker_keeps_its_slice_however_long_its_lease_is_over", MATRIX),
    ),
    Defect(
        "A claim expires before its lease is over",
        (
            Change(
                f"{STORE}/due_slices.py",
                "OrderSlice.status == SliceStatus.SENDING, OrderSlice.lease_expires_at <= now",
                "OrderSlice.status == SliceStatus.SENDING",
            ),
            Change(f"{SLICE}/leases.py", " or one.lease_expires_at is None or one.lease_expires_at > now:", ":"),
        ),
        (f"{TESTS}/test_resolve.py::test_claims_whose_lease_runs_are_left_alone",),
    ),
    Defect(
        "A cancelled order leaves its unsent slices scheduled",
        (
            Change(
                f"{TRADING}/order_totals.py",
                "        end_unsent(session, order, SliceStatus.CANCELLED, now)\n",
                "        pass\n",
            ),
        ),
        (f"{TESTS}/test_cancel.py::test_an_order_with_nothing_sent_is_cancelled_at_once_with_all_its_slices",),
    ),
    Defect(
        "An end is taken over before its trades are booked",
        (
            Change(
                f"{SLICE}/fills.py",
                "    return totals.of_broker_order.get(row.broker_order_id, 0) >= row.filled_quantity\n",
                "    return True\n",
            ),
        ),
        (f"{TESTS}/test_track.py::test_an_end_waits_for_the_trades_that_belong_to_it",),
    ),
    Defect(
        "A fill after the end raises no alarm",
        (Change(f"{SLICE}/fills.py", "    if one.status in FINAL_SLICES:\n", "    if False:\n"),),
        (f"{TESTS}/test_track.py::test_a_fill_after_the_deadline_adds_quantity_keeps_the_status_and_raises_the_alarm",),
    ),
    Defect(
        "A lost hint is never given again",
        (
            Change(
                f"{STORE}/due_slices.py",
                "or_(OrderSlice.hinted_until.is_(None), and_(OrderSlice.hinted_until <= now, literal(is_repeated)))",
                "OrderSlice.hinted_until.is_(None)",
            ),
        ),
        (f"{TESTS}/test_dispatch.py::test_a_hint_that_led_to_nothing_is_given_again_after_its_lifetime",),
    ),
)
