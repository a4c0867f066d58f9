"""Defects of how working slices are followed: whose turn it is to read, what is looked up, and what is locked."""

from tests.rigs.mutants.defect import BOOK, SLICE, STORE, TESTS, Change, Defect

TURNS, LOOKS, NEWS, RESOLVE, RECONCILE = (
    f"{TESTS}/test_{name}.py" for name in ("book_turns", "look_ups", "news_together", "resolve", "reconcile")
)

TRACKING = (
    Defect(
        "An order that a look-up does not find is taken for one without news",
        (
            Change(
                f"{BOOK}/look_ups.py",
                "    orders = {one: broker.order(one) for one in broker_order_ids}\n",
                "    orders = {}\n"
                "    for one in broker_order_ids:\n"
                "        try:\n"
                "            orders[one] = broker.order(one)\n"
                "        except Exception:\n"
                "            continue\n",
            ),
        ),
        (
            f"{LOOKS}::test_an_order_that_a_look_up_does_not_find_is_missed_when_the_book_lacks_it_as_ever",
            f"{LOOKS}::test_when_the_broker_is_away_a_look_up_is_no_way_round",
        ),
    ),
    Defect(
        "What was looked up counts as a whole book",
        (
            Change(
                f"{BOOK}/shown.py", "    broker_account: str\n", "    broker_account: str\n\n    is_evidence = True\n"
            ),
        ),
        (f"{LOOKS}::test_what_was_looked_up_is_no_evidence_of_anything_else",),
    ),
    Defect(
        "Orders are looked up although a slice is in doubt",
        (Change(f"{BOOK}/look_ups.py", "    if at_broker.has_unknown(session, broker.name):\n", "    if False:\n"),),
        (f"{LOOKS}::test_while_a_slice_is_in_doubt_the_whole_book_is_read",),
    ),
    Defect(
        "Orders are looked up although an attempt that was taken for absent may turn up",
        (
            Change(
                f"{BOOK}/look_ups.py",
                "    return not placements.has_presumed_absent(session, broker.name, days.sent_since(broker, now))\n",
                "    return True\n",
            ),
        ),
        (f"{LOOKS}::test_an_attempt_that_was_taken_for_absent_is_found_as_soon_as_it_turns_up",),
    ),
    Defect(
        "A hint at an order makes no look come earlier",
        (Change(f"{BOOK}/look_ups.py", "if one in self._hinted or self._due.get(", "if self._due.get("),),
        (f"{LOOKS}::test_a_hint_makes_the_look_come_at_once_and_news_the_next_one",),
    ),
    Defect(
        "An order of ours that no attempt is known to have made counts as somebody else's",
        (Change(f"{SLICE}/news.py", "row is not None and not looks_ours(row.client_order_id)", "row is not None"),),
        (f"{RECONCILE}::test_an_order_that_becomes_known_as_ours_later_is_booked_though_its_row_stays_as_it_is",),
    ),
    Defect(
        "What is over and booked is never compared again, whatever its row says by then",
        (Change(f"{SLICE}/reconcile.py", "if known.get(one) != row]", "if one not in known]"),),
        (f"{RECONCILE}::test_what_is_over_and_booked_is_compared_again_when_its_row_changes_or_after_a_while",),
    ),
    Defect(
        "What has news counts as over before they are booked",
        (Change(f"{SLICE}/news.py", "        elif one.has_ended:\n", "        if True:\n"),),
        (f"{RECONCILE}::test_what_is_over_and_booked_is_compared_again_when_its_row_changes_or_after_a_while",),
    ),
    Defect(
        "The books of all accounts are read at once",
        (Change(f"{BOOK}/turns.py", "_places.acquire(timeout=PATIENCE)", "False"),),
        (f"{TURNS}::test_a_few_whole_books_are_read_at_a_time_and_who_has_waited_long_reads_all_the_same",),
    ),
    Defect(
        "A book tells of what came into doubt while it was read",
        (
            Change(
                f"{SLICE}/track.py",
                "    resolve_by = resolving(broker, now)\n    book = read_book(broker, now)\n",
                "    book = read_book(broker, now)\n    resolve_by = resolving(broker, now)\n",
            ),
        ),
        (f"{RESOLVE}::test_a_reading_tells_nothing_of_what_was_not_in_doubt_before_it_began",),
    ),
    Defect(
        "What is in doubt is left in doubt by the readings for what works",
        (Change(f"{SLICE}/track.py", "    resolve_by(book)\n", ""),),
        (f"{RESOLVE}::test_one_reading_follows_what_works_and_resolves_what_is_in_doubt",),
    ),
    Defect(
        "However many books are read side by side, each is read as often as one alone",
        (Change(f"{BOOK}/turns.py", "seconds=CPU_REST * among * (", "seconds=CPU_REST * ("),),
        (f"{TURNS}::test_the_more_books_are_read_side_by_side_the_farther_apart_the_readings_of_each_are",),
    ),
    Defect(
        "The turn at the book is never given back",
        (Change(f"{STORE}/sql/give_book_turn_back.sql", "   SET held_until = clock_timestamp(),\n", "   SET\n"),),
        (f"{TURNS}::test_one_reads_for_a_broker_and_the_others_leave_it_at_that",),
    ),
    Defect(
        "The turn at the book never ends by itself",
        (
            Change(
                f"{STORE}/sql/take_book_turn.sql",
                "(turn.held_until <= clock_timestamp() OR turn.held_until > ",
                "(turn.holder = '' OR turn.held_until > ",
            ),
            Change(
                f"{STORE}/sql/give_book_turn_back.sql",
                "   SET held_until = clock_timestamp(),\n",
                "   SET holder = '',\n",
            ),
        ),
        (f"{TURNS}::test_a_reader_that_is_killed_or_stopped_is_followed_by_another_within_seconds",),
    ),
    Defect(
        "A turn at the book that a clock had set far ahead is waited for",
        (Change(f"{STORE}/sql/take_book_turn.sql", " OR turn.held_until > clock_timestamp() + 2 * :lease)", ")"),),
        (f"{TURNS}::test_what_a_clock_that_was_set_has_written_counts_as_past",),
    ),
    Defect(
        "Whoever gives a turn back gives back that of another",
        (Change(f"{STORE}/sql/give_book_turn_back.sql", "AND holder = :holder", "AND :holder <> ''"),),
        (f"{TURNS}::test_reconciling_waits_for_nobody_and_its_turn_is_its_own",),
    ),
    Defect(
        "Orders are locked in another order than that of their ids",
        (
            Change(
                f"{STORE}/orders.py",
                ".order_by(Order.id).with_for_update(key_share=True)",
                ".order_by(Order.id.desc()).with_for_update(key_share=True)",
            ),
        ),
        (f"{NEWS}::test_orders_are_locked_in_the_order_of_their_ids",),
    ),
    Defect(
        "An order that somebody has locked holds up all that are settled with it",
        (Change("pulse_core/batching.py", "            if is_away or len(batch) == 1:\n", "            if True:\n"),),
        (
            f"{NEWS}::test_an_order_that_somebody_has_locked_is_left_and_the_others_are_settled",
            f"{NEWS}::test_a_row_that_fails_holds_up_neither_another_order_nor_another_slice_of_its_own",
        ),
    ),
    Defect(
        "News are settled in one transaction for each order",
        (
            Change(
                f"{SLICE}/news.py",
                "            if sum(map(len, batch)) + len(piece) > TOGETHER:\n",
                "            if batch:\n",
            ),
        ),
        (f"{NEWS}::test_fifty_orders_cost_as_many_statements_as_one",),
    ),
    Defect(
        "News that no postback told of are not missed",
        (
            Change(
                f"{BOOK}/pace.py",
                "            self._unhinted |= dict.fromkeys(set(news) - told, now)\n",
                "",
            ),
        ),
        (f"{TESTS}/test_book_pace.py::test_a_missed_postback_brings_the_usual_readings_back",),
    ),
    Defect(
        "The book is read seldom while a slice is in doubt",
        (
            Change(
                f"{SLICE}/track.py",
                "is_due and look_ups.is_without_doubt(session, broker, now)\n",
                "is_due\n",
            ),
        ),
        (f"{TESTS}/test_book_pace.py::test_while_a_slice_is_in_doubt_no_reading_waits",),
    ),
    Defect(
        "The last readings of a broker's day wait",
        (Change(f"{SLICE}/track.py", "is_read = is_closing or _missing", "is_read = _missing"),),
        (
            f"{TESTS}/test_book_pace.py::test_before_the_day_of_the_book_ends_no_reading_waits_and_late_fills_are_booked",
        ),
    ),
)
