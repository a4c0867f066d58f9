"""Defects of the archive: what would lose history."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

_ARCHIVE, _CAUGHT = "pulse_ops/archive", f"{TESTS}/test_archive.py"

ARCHIVE = (
    Defect(
        "What has changed since it was written is removed as it is",
        (Change(f"{_ARCHIVE}/archiving.py", " if lines == list(written[one])]", "]"),),
        (f"{_CAUGHT}::test_what_changes_after_it_was_written_is_written_again",),
    ),
    Defect(
        "Rows are removed before their file was read back",
        (Change(f"{_ARCHIVE}/archiving.py", "files.check(part)", "files.read_manifest(part)"),),
        (f"{_CAUGHT}::test_nothing_goes_whose_file_is_not_what_was_written",),
    ),
    Defect(
        "A day goes with what is unsettled on it",
        (Change(f"{_ARCHIVE}/archiving.py", "            _check_day(cursor, day)\n", "            pass\n"),),
        (
            f"{_CAUGHT}::test_a_day_with_something_unsettled_stays_and_so_do_those_after_it",
            f"{_CAUGHT}::test_an_order_that_is_taken_up_again_after_it_was_written_stays",
        ),
    ),
    Defect(
        "The last number of the feed of all accounts is forgotten",
        (
            Change(
                f"{_ARCHIVE}/rows.py",
                "max(sequence))\n",
                "max(sequence) + 1)\n",
            ),
        ),
        (f"{_CAUGHT}::test_of_feeds_that_are_wholly_archived_the_numbers_go_on",),
    ),
    Defect(
        "What was traded on days in the archive is forgotten by the exchange",
        (Change("pulse_ops/archive/ledger.py", "        connection.execute(_CARRY, (day,))\n", ""),),
        (f"{TESTS}/test_archive_ledger.py::test_holdings_funds_and_numbers_go_on_over_a_restart",),
    ),
    Defect(
        "Numbers of the exchange come again once what had them is in the archive",
        (
            Change(
                "pulse_ops/archive/ledger.py",
                "        for statement in _NUMBERS_KEPT:\n",
                "        for statement in ():\n",
            ),
        ),
        (f"{TESTS}/test_archive_ledger.py::test_holdings_funds_and_numbers_go_on_over_a_restart",),
    ),
    Defect(
        "An exchange that is asked for orders of any day forgets those in the archive",
        (Change("pulse_ops/archive/ledger.py", "_REMOVED if ledger.kind == OF_ALPACA else ", ""),),
        (f"{TESTS}/test_archive_ledger.py::test_where_orders_of_any_day_are_shown_their_own_rows_stay",),
    ),
)
