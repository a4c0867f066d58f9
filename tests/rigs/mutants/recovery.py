"""Defects of what is done after a database has forgotten orders."""

from tests.rigs.mutants.defect import SLICE, STORE, TESTS, TRADING, Change, Defect

_PLACED_AGAIN = f"{TESTS}/test_recovery.py::test_a_forgotten_order_that_is_placed_again_has_what_stands_at_the_broker"

_PUT_BACK = f"{TESTS}/test_disk_put_back.py::test_nothing_is_sent_from_a_disk_that_was_put_back_before_it_is_held"

RECOVERY = (
    Defect(
        "A disk that was put back is not held against how far its log had come",
        (Change(f"{TRADING}/recovery/sending_hold.py", ".look(driver, last_seen)", ".look(driver)"),),
        (_PUT_BACK,),
    ),
    Defect(
        "A disk that was put back is held at every start",
        (
            Change(
                f"{TRADING}/recovery/sending_hold.py",
                "    remembered.note(lineage(db.fence_engine()).seen)\n    # Another database",
                "    # Another database",
            ),
        ),
        (_PUT_BACK,),
    ),
    Defect(
        "An order that is placed again has other slices than before",
        (
            Change(
                f"{STORE}/slices.py",
                "slice_id(key, order.account_id, order.order_unique_key, sequence_number)",
                "slice_id(key, order.account_id, order.id, sequence_number)",
            ),
        ),
        (_PLACED_AGAIN,),
    ),
    Defect(
        "An order that is placed again is cut in another way",
        (
            Change(
                f"{TRADING}/order/accept.py",
                "slice_ids.seed(client_order_id_key(), account_id, new_order.order_unique_key)",
                "row['seed']",
            ),
        ),
        (_PLACED_AGAIN,),
    ),
    Defect(
        "An order that is placed again is sent without a look at what the book shows of it",
        (Change(f"{SLICE}/execute.py", "    slice_ids = sending_hold.without_forgotten(broker, slice_ids)\n", ""),),
        (
            _PLACED_AGAIN,
            f"{TESTS}/test_recovery.py::test_nothing_is_sent_of_a_forgotten_order_while_the_book_cannot_be_read_again",
        ),
    ),
)
