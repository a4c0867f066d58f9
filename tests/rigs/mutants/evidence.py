"""Defects of what the broker's book is taken to prove."""

from tests.rigs.mutants.defect import BOOK, SLICE, STATE_MACHINE, STORE, TESTS, Change, Defect

EVIDENCE = (
    Defect(
        "A book that lacks known orders proves an absence",
        (Change(f"{BOOK}/reading.py", "        return not self.lacking\n", "        return True\n"),),
        (
            f"{TESTS}/test_evidence.py::test_a_book_without_an_acknowledged_order_never_proves_that_another_is_absent",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A book that has shrunk proves an absence",
        (Change(f"{BOOK}/reading.py", ", *_last.orders_since(broker, since)}", "}"),),
        (
            f"{TESTS}/test_evidence.py::"
            "test_a_book_that_shrank_proves_nothing_though_all_that_it_lacks_is_somebody_elses",
        ),
    ),
    Defect(
        "An outage that another reader of the book met is forgotten",
        (
            Change(
                f"{BOOK}/reading.py",
                "        begin_delays_anew(broker.name, now)\n        raise\n",
                "        raise\n",
            ),
        ),
        (f"{TESTS}/test_evidence.py::test_an_outage_met_by_any_reader_begins_the_settle_delay_anew", STATE_MACHINE),
    ),
    Defect(
        "A book that lacks known orders is forgotten when another reader met it",
        (
            Change(
                f"{BOOK}/reading.py",
                "        begin_delays_anew(broker.name, now)\n    _last.note(",
                "    _last.note(",
            ),
        ),
        (
            f"{TESTS}/test_evidence.py::test_a_book_that_is_not_whole_begins_the_settle_delay_anew_whoever_reads_it",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "A pause between two looks into the book is ignored",
        (
            Change(
                f"{STORE}/sql/note_absence.sql",
                "CASE WHEN :started_at <= slice.resolve_at + :longest_pause THEN slice.absent_since END",
                "CASE WHEN :longest_pause > INTERVAL '0' THEN slice.absent_since END",
            ),
        ),
        (
            f"{TESTS}/test_evidence.py::test_a_pause_between_two_looks_begins_the_settle_delay_anew",
            STATE_MACHINE,
        ),
    ),
    Defect(
        "Absence counts from the start of the first reading",
        (
            Change(
                f"{STORE}/sql/note_absence.sql",
                "absent_since = coalesce(watched_since, :ended_at),",
                "absent_since = coalesce(watched_since, :started_at),",
            ),
        ),
        (f"{TESTS}/test_evidence.py::test_absence_counts_from_the_end_of_one_reading_to_the_start_of_the_next",),
    ),
    Defect(
        "Absence counts to the end of the last reading",
        (
            Change(
                f"{STORE}/sql/note_absence.sql",
                ":started_at >= watched_since + :settle_delay",
                ":ended_at >= watched_since + :settle_delay",
            ),
        ),
        (f"{TESTS}/test_evidence.py::test_absence_counts_from_the_end_of_one_reading_to_the_start_of_the_next",),
    ),
    Defect(
        "Each process measures the settle delay by its own wall clock",
        (
            Change(
                "pulse_core/clock.py",
                "    return datetime.fromtimestamp(_database.now(), UTC)\n",
                "    return datetime.fromtimestamp(time.time(), UTC)\n",
            ),
        ),
        (f"{TESTS}/test_clock.py::test_the_time_is_the_databases",),
    ),
    Defect(
        "A reading of the book that straddles midnight proves an absence",
        (
            Change(
                f"{SLICE}/resolve.py",
                "covers_since(book.ended_at + NEAR_MIDNIGHT)",
                "covers_since(book.started_at)",
            ),
        ),
        (f"{TESTS}/test_guards.py::test_a_reading_that_may_have_seen_the_next_days_book_proves_no_absence",),
    ),
    Defect(
        "A working order that the book does not show is missed by nobody",
        (Change(f"{SLICE}/track.py", "    _alarm_missing(broker, book, working)\n", ""),),
        (f"{TESTS}/test_evidence.py::test_a_working_order_missing_from_the_book_raises_one_alarm_after_a_while",),
    ),
)
