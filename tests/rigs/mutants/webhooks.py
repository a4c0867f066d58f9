"""Defects of webhooks: who holds up whom, what goes on after its right has ended, and where posts may go."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

EVENTS = "pulse_core/events"
RIGHTS, TURNS = f"{TESTS}/test_webhook_rights.py", f"{TESTS}/test_webhook_turns.py"

WEBHOOKS = (
    Defect(
        "Webhooks that are slow or took nothing yet wait in one lane with all others",
        (
            Change(
                f"{EVENTS}/deliverer.py",
                "lane = self._lanes[one.verified_at is None or one.failures > 0 or one.id in self._slow]",
                "lane = self._lanes[False]",
            ),
        ),
        (f"{TURNS}::test_receivers_that_do_not_answer_hold_up_no_other",),
    ),
    Defect(
        "An account takes as many look-ups of names as there are",
        (Change(f"{EVENTS}/resolving.py", " and self._under_way[account_id] < self._most_of_account", ""),),
        (f"{TURNS}::test_a_name_is_waited_for_so_long_and_looked_up_so_often_at_once",),
    ),
    Defect(
        "A webhook goes on after its account or its key has ended",
        (
            Change(
                f"{EVENTS}/tables.py",
                "    return and_(of_account, or_(Webhook.key_id.is_(None), key_works))",
                "    return or_(of_account, key_works, Webhook.id.is_not(None))",
            ),
        ),
        (f"{RIGHTS}::test_what_has_ended_posts_nothing_more",),
    ),
    Defect(
        "A webhook whose right ends while its host's name is looked up is posted to",
        (Change(f"{EVENTS}/delivery.py", " > FRESH_SECONDS and not _is_held(held):", " > FRESH_SECONDS and False:"),),
        (f"{RIGHTS}::test_what_ends_while_a_name_is_looked_up_posts_nothing_either",),
    ),
    Defect(
        "Of the addresses of a name only the first is checked",
        (
            Change(
                f"{EVENTS}/outbound.py",
                "    for address in addresses:\n        check",
                "    for address in addresses[:1]:\n        check",
            ),
        ),
        (
            f"{TESTS}/test_webhooks.py::"
            "test_a_name_is_looked_up_for_every_connection_and_each_of_its_addresses_must_be_public",
        ),
    ),
    Defect(
        "Nobody waits for whoever is adding a webhook to the account",
        (
            Change(
                f"{EVENTS}/store/webhooks.py",
                "active_account(account_id).with_for_update(key_share=True)",
                "active_account(account_id)",
            ),
        ),
        (f"{TESTS}/test_webhooks.py::test_no_race_makes_a_sixth_webhook",),
    ),
)
