"""Defects of slices that are claimed, sent and recorded together."""

from tests.rigs.mutants.defect import ADVISORY, SLICE, STATE_MACHINE, STORE, TESTS, Change, Defect

TOGETHER = f"{TESTS}/test_batches.py"

BATCHES = (
    Defect(
        "How many slices are handed on at once is left to the plan that Postgres makes",
        (Change(f"{STORE}/due_slices.py", "OrderSlice.id.in_(chosen_once(due))", "OrderSlice.id.in_(due)"),),
        (f"{TESTS}/test_dispatch.py::test_a_batch_is_bounded_however_postgres_plans_it",),
    ),
    Defect(
        "Only the first slice of a batch is locked",
        (
            Change(
                ADVISORY,
                '{"fenced": list(slice_ids)})\n        return [row.id for row in rows if row.is_held]\n',
                '{"fenced": list(slice_ids)[:1]})\n'
                "        return list(slice_ids) if all(row.is_held for row in rows) else []\n",
            ),
        ),
        (f"{TOGETHER}::test_the_whole_batch_is_fenced_on_one_connection_until_it_is_recorded",),
    ),
    Defect(
        "Of a batch only one attempt is on record before it is sent",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                ", lacking, :broker_account, claimed_at\n      FROM claimed\n",
                ", lacking, :broker_account, claimed_at\n      FROM claimed\n     LIMIT 1\n",
            ),
        ),
        (
            f"{TOGETHER}::test_every_slice_of_a_batch_is_placed_once_with_its_own_attempt_and_events",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "Of a batch one slice is claimed, and all are sent",
        (
            Change(
                f"{STORE}/sql/claim.sql",
                "       SET status = :to_status,\n",
                "       SET status = CASE WHEN slice.id = (SELECT min(id) FROM free)\n"
                "                         THEN :to_status ELSE 'SCHEDULED' END,\n",
            ),
        ),
        (f"{TOGETHER}::test_every_slice_of_a_batch_is_placed_once_with_its_own_attempt_and_events",),
    ),
    Defect(
        "The last look is at one slice of a batch",
        (
            Change(
                f"{SLICE}/sending.py",
                "    for one in claimed:\n        try:\n            _check_may_send(",
                "    for one in claimed[:1]:\n        try:\n            _check_may_send(",
            ),
        ),
        (f"{TOGETHER}::test_an_order_cancelled_after_the_claim_stops_its_own_slices_only", STATE_MACHINE),
    ),
    Defect(
        "Of two slices of one order in a batch one counts towards its quantity",
        (
            Change(
                f"{STORE}/sql/last_look.sql",
                "        WHERE part.order_id = touched.order_id\n",
                "        WHERE part.order_id = touched.order_id\n"
                "          AND part.id NOT IN (SELECT beside.id FROM seen AS beside ORDER BY beside.id OFFSET 1)\n",
            ),
        ),
        (f"{TOGETHER}::test_two_slices_of_one_order_count_both_towards_its_quantity",),
    ),
    Defect(
        "Answers that come after the first ones are lost",
        (Change(f"{SLICE}/sending.py", "    while under_way:\n", "    if under_way:\n"),),
        (f"{TOGETHER}::test_one_that_hangs_holds_up_neither_the_record_nor_the_fence_of_the_others",),
    ),
    Defect(
        "Nothing is recorded before the last answer has come",
        (Change(f"{SLICE}/sending.py", "wait(under_way, timeout=GATHERING_SECONDS)", "wait(under_way)"),),
        (f"{TOGETHER}::test_one_that_hangs_holds_up_neither_the_record_nor_the_fence_of_the_others",),
    ),
    Defect(
        "What is recorded stays locked while another slice hangs",
        (Change(f"{SLICE}/recording.py", "            self._fence.keep(self._open)\n", "            pass\n"),),
        (f"{TOGETHER}::test_one_that_hangs_holds_up_neither_the_record_nor_the_fence_of_the_others",),
    ),
    Defect(
        "A row that somebody has locked holds up the whole batch",
        (Change(f"{STORE}/sql/claim.sql", "       FOR NO KEY UPDATE OF slice SKIP LOCKED\n", ""),),
        (f"{TOGETHER}::test_a_row_that_somebody_has_locked_holds_up_no_other_and_is_sent_when_it_is_free",),
    ),
    Defect(
        "A slice that cannot be claimed spoils its batch",
        (Change(f"{SLICE}/claiming.py", "        if len(fence.slice_ids) == 1:\n", "        if fence.slice_ids:\n"),),
        (f"{TOGETHER}::test_a_slice_that_spoils_the_claim_is_tried_by_itself_and_the_others_are_placed",),
    ),
    Defect(
        "The record of one slice waits for that of another",
        (
            Change(
                f"{SLICE}/recording.py",
                "self._elsewhere.append(senders_of(self._broker_account).submit(self._record_anyhow, came_out))",
                "self._record_anyhow(came_out)",
            ),
        ),
        (f"{TOGETHER}::test_an_order_that_is_locked_for_long_holds_up_no_record_but_its_own",),
    ),
    Defect(
        "Slices that are due one after another make one batch",
        (Change(f"{SLICE}/batches.py", "due_at(one) - due_at(batch[0]) > WITHIN", "due_at(one) < due_at(batch[0])"),),
        ("tests/unit/test_batches.py::test_a_slice_that_is_due_by_itself_goes_by_itself",),
    ),
)
