"""Whoever reads an account's events gets each once, in order and without a gap, whatever commits when."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api_contract.errors import NotFound
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.events import feed
from pulse_core.events.names import EventKind
from pulse_core.events.store import numbering
from pulse_core.owner import EveryAccount, OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order
from pulse_core.trading.order.queries import order_origin
from pulse_core.trading.store import events
from tests.support.factories import a_split_order, an_account, an_order

pytestmark = pytest.mark.usefixtures("clean_database")


def write(session: Session, order_id: str, note: int | str) -> None:
    events.add(session, EventKind.ALARM, order_id, None, utcnow(), alarm=str(note))


def read_all(account_id: str, limit: int = 100) -> list[feed.EventReport]:
    found: list[feed.EventReport] = []
    while pages := feed.poll({account_id: len(found)}, limit):
        found += pages[0].events
    return found


@contextmanager
def uncommitted(order_id: str, note: str) -> Iterator[None]:
    """Another writer's event, with its id drawn, that commits at the end of the block."""
    written, may_commit = Event(), Event()

    def hold() -> None:
        with db.transaction() as session:
            write(session, order_id, note)
            written.set()
            may_commit.wait(20)

    with ThreadPoolExecutor(1) as other:
        held = other.submit(hold)
        assert written.wait(20)
        try:
            yield
        finally:
            may_commit.set()
            held.result(20)


def test_an_event_that_commits_late_is_read_after_those_given_out_before() -> None:
    account = an_account()
    first, second = an_order(account_id=account), an_order(account_id=account)
    with uncommitted(first, "late"):
        with db.transaction() as session:
            write(session, second, "early")
        before = read_all(account)
    after = read_all(account)

    assert [one.reason for one in before][-1] == "early"
    assert after[: len(before)] == before
    assert [one.reason for one in after[len(before) :]] == ["late"]
    assert [one.event_id for one in after] == list(range(1, len(after) + 1))


def test_an_event_that_never_commits_leaves_no_gap() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    with db.transaction() as session:
        write(session, order_id, "never")
        session.rollback()
    with db.transaction() as session:
        write(session, order_id, "kept")

    assert [(one.event_id, one.reason) for one in read_all(account)][1:] == [(2, "kept")]


def test_readers_and_writers_at_once_lose_nothing_and_see_the_same() -> None:
    account = an_account()
    orders = [an_order(account_id=account) for _ in range(4)]
    done = Event()

    def keep_writing(number: int) -> None:
        for one in range(30):
            with db.transaction() as session:
                write(session, orders[number], f"{number}-{one}")

    def keep_reading() -> list[feed.EventReport]:
        found: list[feed.EventReport] = []
        while not done.is_set():
            for page in feed.poll({account: len(found)}, 7):
                found += page.events
        return found

    with ThreadPoolExecutor(7) as pool:
        readers = [pool.submit(keep_reading) for _ in range(3)]
        list(pool.map(keep_writing, range(4)))
        done.set()
        seen = [reader.result() for reader in readers]

    everything = read_all(account)
    written = [one.reason for one in everything if one.type == "order.alarm"]
    assert sorted(written) == sorted(f"{number}-{one}" for number in range(4) for one in range(30))
    assert [one.event_id for one in everything] == list(range(1, len(everything) + 1))
    for number in range(4):
        own = [reason for reason in written if reason.startswith(f"{number}-")]
        assert own == [f"{number}-{one}" for one in range(30)]
    for found in seen:
        assert found == everything[: len(found)]


def test_accounts_are_numbered_each_for_itself() -> None:
    mine, other = an_account(), an_account()
    for account in (mine, other, mine):
        an_order(account_id=account)

    pages = {page.account_id: page for page in feed.poll({mine: 0, other: 0}, 10)}

    assert {one: [event.event_id for event in page.events] for one, page in pages.items()} == {mine: [1, 2], other: [1]}
    assert feed.poll({mine: 2, other: 1}, 10) == []


def test_a_long_past_of_one_account_holds_up_no_other() -> None:
    long, short, silent = an_account(), an_account(), an_account()
    an_order(account_id=short)
    order_id = an_order(account_id=long)
    with db.transaction() as session:
        for note in range(4):
            write(session, order_id, note)

    with db.transaction() as session:
        assert numbering.number(session, [long, short, silent], 2) == {long: 2, short: 1}

    pages = {page.account_id: page for page in feed.poll({long: 1, short: 0, silent: 0}, 3)}
    assert {one: [event.event_id for event in page.events] for one, page in pages.items()} == {
        long: [2, 3, 4],
        short: [1],
    }


def test_readers_of_the_same_accounts_at_once_number_each_event_once() -> None:
    accounts = [an_account() for _ in range(4)]
    for _ in range(5):
        for account in accounts:
            an_order(account_id=account)

    def read(shift: int) -> list[feed.FeedPage]:
        return feed.poll(dict.fromkeys(accounts[shift:] + accounts[:shift], 0), 10)

    with ThreadPoolExecutor(4) as pool:
        read_at_once = list(pool.map(read, range(4)))

    for pages in [*read_at_once, read(0)]:
        found = {page.account_id: [event.event_id for event in page.events] for page in pages}
        assert found == {account: [1, 2, 3, 4, 5] for account in accounts}


def test_asking_for_the_end_gives_its_number_and_no_events() -> None:
    account = an_account()
    an_order(account_id=account)

    (page,) = feed.poll({account: None}, 10)

    assert (page.events, page.last_event_id, page.is_complete) == ([], 1, True)


def test_a_long_past_is_numbered_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "NUMBERED_AT_ONCE", 2)
    account = an_account()
    order_id = an_order(account_id=account)
    with db.transaction() as session:
        for note in range(4):
            write(session, order_id, note)

    (page,) = feed.poll({account: None}, 10)

    assert (page.last_event_id, page.is_complete) == (5, True)


def test_numbering_that_runs_out_of_patience_goes_on_with_the_next_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    account = an_account()
    an_order(account_id=account)
    monkeypatch.setattr(feed, "PATIENCE", 0)
    (page,) = feed.poll({account: None}, 10)
    assert (page.last_event_id, page.is_complete) == (0, False)

    monkeypatch.setattr(feed, "PATIENCE", 20)
    (page,) = feed.poll({account: None}, 10)
    assert (page.last_event_id, page.is_complete) == (1, True)


def test_events_written_by_an_older_version_find_their_account() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    with db.transaction() as session:
        session.execute(text("UPDATE slice_events SET account_id = NULL WHERE order_id = :id"), {"id": order_id})

    assert [one.order_id for one in read_all(account)] == [order_id]


def test_events_of_an_order_carry_the_numbers_of_its_account() -> None:
    account = an_account()
    first, second = a_split_order(account_id=account), a_split_order(account_id=account)
    pause_order(OneAccount(account), first, "acc_operator", utcnow())

    page = feed.order_events(account, first, 0, 100)

    assert [(one.event_id, one.type) for one in page.events] == [
        (1, "order.pending"), (2, "order.in_progress"), (5, "order.request"), (6, "order.paused"),
    ]  # fmt: skip
    assert page.events[2].actor == "acc_operator"
    assert page.last_event_id == 6
    assert feed.order_events(account, second, 3, 100).events[0].event_id == 4
    assert order_origin(EveryAccount(), first).account_id == account
    with pytest.raises(NotFound):
        order_origin(OneAccount(an_account()), first)


def test_a_cancellation_says_who_asked_for_it_and_how_the_order_ended() -> None:
    account = an_account()
    order_id = a_split_order(account_id=account)
    for _ in range(2):
        cancel_order(OneAccount(account), order_id, utcnow(), account)

    found = feed.order_events(account, order_id, 2, 100).events

    assert [one.type for one in found] == [
        "order.request", "order.cancelling", *["slice.cancelled"] * 5, "order.cancelled",
    ]  # fmt: skip
    assert (found[0].actor, found[0].reason) == (account, "cancel was asked for")
    assert found[-1].details == {"result": "UNFILLED"}
