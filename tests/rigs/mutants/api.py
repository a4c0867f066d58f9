"""Defects at the edge: what a request asks is passed over, or done again."""

from tests.rigs.mutants.defect import TRADING, Change, Defect

_CONTRACT = "tests/contract"
_MERGE = "pulse_core/events/store/sql/merge.sql"
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
        "A change is made whatever version it names",
        (Change("api_contract/versions.py", "current not in self.etags", "current in ()"),),
        (
            "tests/integration/test_versions.py::test_of_changes_to_one_version_of_an_order_one_is_made",
            f"{_CONTRACT}/test_preconditions.py::test_an_order_is_cancelled_as_it_was_read_or_not_at_all",
        ),
    ),
    Defect(
        "The slices of an order may move between the look at its version and the change",
        (Change(f"{TRADING}/order/queries.py", "is_still = slices.hold(session, order.id)", "is_still = True"),),
        ("tests/integration/test_versions.py::test_an_order_is_not_changed_while_somebody_is_at_a_slice_of_it",),
    ),
    Defect(
        "Of what one account has left out, the feed of all accounts tells later ones of others first",
        (Change(_MERGE, " WHERE horizon.place IS NULL OR news.place <= horizon.place\n", ""),),
        ("tests/integration/test_merged_feed.py::test_a_long_past_is_merged_in_order_however_it_is_spread",),
    ),
    Defect(
        "Where many accounts have news, the feed of all accounts waits until there are fewer",
        (
            Change(
                "pulse_core/events/merged_feed.py",
                "is_numbered = feed.number(waiting) >= set(waiting)",
                "is_numbered = len(waiting) < ACCOUNTS_AT_ONCE and feed.number(waiting) >= set(waiting)",
            ),
        ),
        ("tests/integration/test_merged_feed.py::test_however_many_accounts_have_news_all_of_it_is_merged",),
    ),
    Defect(
        "Two readers merge the events of all accounts at once",
        (Change("pulse_core/events/store/merging.py", "    session.execute(_LOCK)\n", ""),),
        ("tests/integration/test_merged_feed.py::test_readers_and_writers_at_once_lose_nothing_and_see_the_same",),
    ),
    Defect(
        "A client that follows does not notice that a number is missing",
        (Change("pulse_client/following.py", "event.event_id > self.last_event_id + 1", "event.event_id < 0"),),
        ("tests/unit/test_client_requests.py::test_a_follower_fills_every_gap_and_gives_nothing_twice",),
    ),
    Defect(
        "What broke off is done again, whatever it is",
        (Change(_TAKE, "    OR (:is_done_again\n", "    OR ((:is_done_again OR true)\n"),),
        (f"{_CONTRACT}/test_idempotency.py::test_what_broke_off_is_not_done_again_elsewhere",),
    ),
)
