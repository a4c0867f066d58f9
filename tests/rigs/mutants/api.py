"""Defects at the edge: what a request asks is passed over, or done again."""

from tests.rigs.mutants.defect import Change, Defect

_CONTRACT = "tests/contract"
_TAKE = "pulse_core/idempotency/store/sql/take.sql"

API = (
    Defect(
        "What an operation does not declare is passed over",
        (Change("api_contract/blueprint.py", "            refuse_undeclared(declared)\n", ""),),
        (f"{_CONTRACT}/test_undeclared.py::test_an_order_that_was_only_to_be_tried_is_not_placed",),
    ),
    Defect(
        "A repeat takes the key of a call that is under way",
        (Change(_TAKE, "        AND known.held_until <= clock_timestamp()\n", ""),),
        (f"{_CONTRACT}/test_idempotency.py::test_a_repeat_while_the_first_call_is_under_way_is_to_come_again",),
    ),
    Defect(
        "What broke off is done again, whatever it is",
        (Change(_TAKE, "    OR (:is_done_again\n", "    OR ((:is_done_again OR true)\n"),),
        (f"{_CONTRACT}/test_idempotency.py::test_what_broke_off_is_not_done_again_elsewhere",),
    ),
)
