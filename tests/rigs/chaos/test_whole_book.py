"""An absence is judged by what the book did not show when it was concluded."""

from datetime import UTC, datetime, timedelta

from tests.rigs.chaos.whole_book import PROMISE, broken_by

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
ABSENT = [{"order_id": "ord_1", "slice_id": "sl_1", "at": NOW.isoformat()}]


def acknowledged(seconds_ago: float) -> list[dict[str, str]]:
    return [{"broker_order_id": "26112700000001", "at": (NOW - timedelta(seconds=seconds_ago)).isoformat()}]


def test_a_book_that_lacked_an_order_acknowledged_long_before_proves_no_absence() -> None:
    shown_at = {"26112700000001": NOW + timedelta(seconds=5)}
    (found,) = broken_by(ABSENT, acknowledged(30), shown_at)
    assert (found["promise"], found["slice_id"]) == (PROMISE, "sl_1")


def test_an_order_acknowledged_while_the_book_was_read_need_not_be_in_it() -> None:
    assert list(broken_by(ABSENT, acknowledged(3), {"26112700000001": NOW + timedelta(seconds=5)})) == []


def test_a_book_that_showed_every_acknowledged_order_proves_an_absence() -> None:
    assert list(broken_by(ABSENT, acknowledged(30), {"26112700000001": NOW - timedelta(seconds=20)})) == []
