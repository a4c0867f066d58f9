"""Defects of how lists of instruments are taken, and how orders are held to them."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

LOADS, RULES = f"{TESTS}/test_instruments.py", "tests/unit/test_instruments.py"
CORE = "pulse_core/instruments"

INSTRUMENTS = (
    Defect(
        "A list that breaks off is taken for a short one",
        (
            Change(
                "pulse_core/brokers/zerodha/instruments.py",
                'if not lines.is_whole and last.get("exchange") != exchange:',
                "if False:",
            ),
        ),
        (f"{RULES}::test_a_list_that_is_not_whole_is_no_list",),
    ),
    Defect(
        "A list that has shrunk is taken",
        (Change("pulse_core/instrument_loading.py", "        if refused is None:\n", "        if True:\n"),),
        (f"{LOADS}::test_the_old_list_stays_with_one_alarm_until_a_new_one_is_whole",),
    ),
    Defect(
        "One exchange that is cut off goes unnoticed among the others",
        (
            Change(
                f"{CORE}/completeness.py",
                "if counts[exchange] * 10 < count * (10 - MOST_MISSING_TENTHS)",
                "if counts.total() * 10 < count * (10 - MOST_MISSING_TENTHS)",
            ),
        ),
        (f"{RULES}::test_a_list_that_shrank_by_more_than_a_tenth_is_not_taken",),
    ),
    Defect(
        "Two workers load a list at once",
        (
            Change(
                f"{CORE}/store/sql/begin_load.sql",
                "AND (held_until IS NULL OR held_until <= clock_timestamp())",
                "AND :lease IS NOT NULL",
            ),
        ),
        (f"{LOADS}::test_two_workers_load_one_list_between_them",),
    ),
    Defect(
        "A worker that was held up puts its old list in force",
        (Change(f"{CORE}/store/loads.py", "InstrumentLoad.holder == begun.holder, ", ""),),
        (f"{LOADS}::test_a_worker_that_was_held_up_leaves_the_list_to_the_one_that_took_over",),
    ),
    Defect(
        "A repeat is held to the list of now",
        (
            Change(
                "pulse_core/trading/order/accept.py",
                "    Halted,\n    NotListedSo,\n",
                "    Halted,\n",
            ),
        ),
        (f"{LOADS}::test_a_repeat_finds_its_order_whatever_is_listed_by_then",),
    ),
    Defect(
        "An expired contract is taken",
        (Change("pulse_core/trading/order/accept.py", "    instruments.check_window(listed, window)\n", ""),),
        (f"{LOADS}::test_what_is_not_listed_so_is_refused_halted",),
    ),
    Defect(
        "Randomised slices pass the cap",
        (
            Change(
                "pulse_core/trading/schedule.py",
                "most = most if cap is None else min(most, cap)",
                "most = most if cap is None else max(most, cap)",
            ),
        ),
        (f"{RULES}::test_slices_are_whole_lots_below_the_cap_and_add_up",),
    ),
    Defect(
        "An order is split without its lots",
        (
            Change(
                "pulse_core/trading/order/planning.py",
                "Sizes(order.lot_size, order.most_per_slice),",
                "Sizes(1, order.most_per_slice),",
            ),
        ),
        (f"{LOADS}::test_a_future_is_split_in_lots_below_the_freeze_quantity",),
    ),
)
