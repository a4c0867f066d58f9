"""A change that names a version is made to that version and to no other, whoever else changes it at that moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from api_contract.errors import PreconditionFailed
from api_contract.versions import Expected, etag_of
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_core.events.feed import number_news
from pulse_core.identity import accounts
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.trading import inbox
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.queries import order_snapshot
from pulse_core.trading.store import slices
from pulse_core.trading.tables import OrderSlice
from tests.support.factories import a_split_order, an_account, an_alarm, slices_of

pytestmark = pytest.mark.usefixtures("clean_database")
EVERYBODY = EveryAccount()


def version_of(order_id: str) -> Expected:
    return Expected(frozenset({etag_of(order_snapshot(EVERYBODY, order_id))}))


def is_made(change: Callable[[], object]) -> bool:
    try:
        change()
    except PreconditionFailed:
        return False
    return True


def at_once(*changes: Callable[[], object]) -> list[bool]:
    """Whether each of these was made, when all begin at the same instant."""
    start = Barrier(len(changes))

    def begin(change: Callable[[], object]) -> bool:
        start.wait(20)
        return is_made(change)

    with ThreadPoolExecutor(len(changes)) as pool:
        return list(pool.map(begin, changes))


def test_of_changes_to_one_version_of_an_order_one_is_made() -> None:
    for _ in range(5):
        order_id = a_split_order()
        seen, now = version_of(order_id), utcnow()
        made = at_once(
            lambda order_id=order_id, seen=seen, now=now: cancel_order(EVERYBODY, order_id, now, "a", seen),
            lambda order_id=order_id, seen=seen, now=now: pause_order(EVERYBODY, order_id, "b", now, seen),
            lambda order_id=order_id, seen=seen, now=now: cancel_order(EVERYBODY, order_id, now, "c", seen),
        )
        assert sum(made) == 1


def test_of_changes_to_one_version_of_an_account_one_is_made() -> None:
    for _ in range(5):
        account_id = an_account()
        seen = Expected(frozenset({etag_of(accounts.account_of(account_id))}))
        made = at_once(
            *(
                lambda limit=limit, account_id=account_id, seen=seen: accounts.change_account(
                    account_id, utcnow(), "an admin", expected=seen, requests_per_minute=limit
                )
                for limit in (10, 20, 30)
            )
        )
        assert sum(made) == 1


def test_of_changes_to_one_version_of_an_alarm_one_is_made() -> None:
    alarm_id = an_alarm(slices_of(a_split_order())[0])
    seen = Expected(frozenset({etag_of(inbox.alarm_history(alarm_id))}))
    made = at_once(
        *(
            lambda note=note: inbox.note_alarm(alarm_id, note, "anna", utcnow(), seen)
            for note in ("one", "two", "three")
        )
    )
    assert sum(made) == 1


def test_a_slice_that_moves_makes_another_version_of_its_order() -> None:
    order_id = a_split_order()
    seen = version_of(order_id)
    with db.transaction() as session:
        slices.move(session, slices.of_order(session, order_id)[0], SliceStatus.SKIPPED, utcnow())
    assert not is_made(lambda: pause_order(EVERYBODY, order_id, "a", utcnow(), seen))
    assert order_snapshot(EVERYBODY, order_id).status is OrderStatus.IN_PROGRESS


def test_an_order_is_not_changed_while_somebody_is_at_a_slice_of_it() -> None:
    order_id = a_split_order()
    seen = version_of(order_id)
    is_held, may_go = Event(), Event()

    def hold() -> None:
        with db.transaction() as session:
            session.get(OrderSlice, slices_of(order_id)[0].id, with_for_update={"key_share": True})
            is_held.set()
            may_go.wait(20)

    with ThreadPoolExecutor(1) as other:
        held = other.submit(hold)
        assert is_held.wait(20)
        try:
            assert not is_made(lambda: pause_order(EVERYBODY, order_id, "a", utcnow(), seen))
        finally:
            may_go.set()
            held.result(20)
    assert is_made(lambda: pause_order(EVERYBODY, order_id, "a", utcnow(), seen))


def test_nothing_moves_a_slice_between_the_look_and_the_change() -> None:
    order_id = a_split_order()
    with db.transaction() as session:
        assert slices.hold(session, order_id)
        with db.transaction() as other:
            assert not slices.hold(other, order_id)


def test_a_refusal_names_the_version_that_there_is_and_any_will_do_for_a_star() -> None:
    order_id = a_split_order()
    seen = version_of(order_id)
    pause_order(EVERYBODY, order_id, "a", utcnow(), seen)
    with pytest.raises(PreconditionFailed) as refused:
        resume_order(EVERYBODY, order_id, "a", utcnow(), seen)
    resume_order(EVERYBODY, order_id, "a", utcnow(), Expected(frozenset({'"other"', refused.value.details["etag"]})))
    pause_order(EVERYBODY, order_id, "a", utcnow(), Expected(None))
    assert order_snapshot(EVERYBODY, order_id).status is OrderStatus.PAUSED


def test_what_shows_more_of_its_events_is_another_version() -> None:
    account_id = an_account()
    order_id = a_split_order(account_id=account_id)
    before = version_of(order_id)
    assert version_of(order_id) == before
    number_news(account_id)
    assert version_of(order_id) != before


def test_a_webhook_is_changed_as_it_was_seen_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    account_id = an_account()
    mine = OneAccount(account_id)
    webhook_id = webhooks.add_webhook(account_id, "https://example.com/hook", utcnow()).webhook.id
    seen = Expected(frozenset({etag_of(webhooks.webhook_report(mine, webhook_id))}))
    webhooks.disable_webhook(mine, webhook_id, account_id, utcnow(), seen)
    assert not is_made(lambda: webhooks.enable_webhook(mine, webhook_id, account_id, utcnow(), seen))
    assert not is_made(lambda: webhooks.roll_secret(account_id, webhook_id, utcnow(), expected=seen))
    assert not is_made(lambda: webhooks.remove_webhook(mine, webhook_id, account_id, utcnow(), seen))
    assert webhooks.webhook_report(mine, webhook_id).disabled_by == account_id
