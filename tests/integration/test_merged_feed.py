"""Operators follow the orders of all accounts in one feed: each event once and in order, whatever commits when."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from pulse_core import db
from pulse_core.events import feed, merged_feed
from pulse_core.events.merged_feed import MergedEventReport
from pulse_core.events.store import merging
from tests.integration.test_event_feed import uncommitted, write
from tests.support.factories import an_account, an_order

pytestmark = pytest.mark.usefixtures("clean_database")


def written(order_id: str, *notes: int | str) -> None:
    for note in notes:
        with db.transaction() as session:
            write(session, order_id, note)


def read_all(limit: int = 100) -> list[MergedEventReport]:
    found: list[MergedEventReport] = []
    while news := merged_feed.poll(len(found), limit).events:
        found += news
    return found


def notes(found: Sequence[MergedEventReport]) -> list[str]:
    return [one.reason for one in found if one.type == "order.alarm"]


def test_an_event_that_commits_late_is_read_after_those_given_out_before() -> None:
    first, second = (an_order(account_id=an_account()) for _ in range(2))
    with uncommitted(first, "late"):
        written(second, "early")
        before = read_all()
    after = read_all()

    assert notes(before) == ["early"]
    assert after[: len(before)] == before
    assert notes(after[len(before) :]) == ["late"]
    assert [one.event_id for one in after] == list(range(1, len(after) + 1))


def test_it_tells_whose_event_it_is_and_its_number_there() -> None:
    accounts = [an_account(), an_account()]
    orders = [an_order(account_id=one) for one in accounts]
    for number in range(2):
        for order_id in orders:
            written(order_id, number)

    found = read_all()

    assert [(one.account_id, one.account_event_id) for one in found] == [
        (account_id, number) for number in (1, 2, 3) for account_id in accounts
    ]
    own = feed.account_events(accounts[1], 0, 10).events
    theirs = [one for one in found if one.account_id == accounts[1]]
    assert [(one.order_id, one.at, one.reason) for one in own] == [(one.order_id, one.at, one.reason) for one in theirs]


def test_events_that_their_accounts_have_read_already_are_merged_too() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    written(order_id, "read before")
    feed.account_events(account, 0, 10)
    written(order_id, "not read")
    assert notes(read_all()) == ["read before", "not read"]


def test_a_long_past_is_merged_in_order_however_it_is_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_feed, "MERGED_AT_ONCE", 4)
    monkeypatch.setattr(merging, "LEAST_SHARE", 2)
    busy, quiet, latest = (an_order(account_id=an_account()) for _ in range(3))
    written(busy, 1, 2, 3, 4, 5)
    written(quiet, 6)
    written(busy, 7)
    written(latest, 8)

    assert notes(read_all()) == [str(one) for one in range(1, 9)]


def test_a_reader_of_pages_is_led_on_where_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_feed, "MERGED_AT_ONCE", 2)
    monkeypatch.setattr(merged_feed, "PATIENCE", 0)
    order_id = an_order(account_id=an_account())
    written(order_id, *range(4))
    monkeypatch.setattr(merging, "LEAST_SHARE", 2)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = merged_feed.events(after, 100)
        seen += [one.event_id for one in page.events]
        after = page.next_after

    assert seen == [1, 2, 3, 4, 5]
    assert merged_feed.poll(None, 1) == merged_feed.MergedNews([], 5, True)


def test_readers_and_writers_at_once_lose_nothing_and_see_the_same() -> None:
    accounts = [an_account() for _ in range(3)]
    orders = [an_order(account_id=one) for one in accounts]
    done = Event()

    def keep_writing(number: int) -> None:
        written(orders[number], *(f"{number}-{one}" for one in range(25)))

    def keep_reading() -> list[MergedEventReport]:
        found: list[MergedEventReport] = []
        while not done.is_set():
            found += merged_feed.poll(len(found), 7).events
        return found

    def keep_reading_own(account_id: str) -> None:
        while not done.is_set():
            feed.poll({account_id: 0}, 1)

    with ThreadPoolExecutor(9) as pool:
        readers = [pool.submit(keep_reading) for _ in range(3)]
        others = [pool.submit(keep_reading_own, one) for one in accounts]
        list(pool.map(keep_writing, range(3)))
        done.set()
        seen = [reader.result() for reader in readers]
        for other in others:
            other.result()

    everything = read_all()
    assert [one.event_id for one in everything] == list(range(1, len(everything) + 1))
    assert sorted(notes(everything)) == sorted(f"{number}-{one}" for number in range(3) for one in range(25))
    for account_id in accounts:
        own = [one.account_event_id for one in everything if one.account_id == account_id]
        assert own == list(range(1, len(own) + 1))
    for found in seen:
        assert found == everything[: len(found)]


def test_however_many_accounts_have_news_all_of_it_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged_feed, "ACCOUNTS_AT_ONCE", 2)
    orders = [an_order(account_id=an_account()) for _ in range(5)]
    for order_id in orders:
        written(order_id, "news")

    news = merged_feed.poll(0, 100)

    assert notes(news.events) == ["news"] * len(orders)
    assert news.is_complete
