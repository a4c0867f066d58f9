"""Postbacks become hints: at once or a moment later, several orders in one message, and none is forgotten."""

from collections import Counter

import pytest

from pulse_core.tasks import Task
from pulse_core.trading.book.hints import Hint
from pulse_core.trading.slice import postback
from pulse_core.trading.slice.postback import MOST_NAMED, Hints
from tests.support.processes import wait_until


def of(broker_order_id: str, account: str = "paper") -> Hint:
    return Hint(account, broker_order_id)


class Messages:
    """What was told about working slices."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def wake(self, task: Task, *args: str) -> None:
        if task is Task.TRACK_SLICES:
            self.told += args


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    made = Messages()
    monkeypatch.setattr(postback.queue, "wake", made.wake)
    monkeypatch.setattr(postback, "SHORTEST_PAUSE", 0.05)
    return made


def test_the_first_is_told_at_once_and_those_of_the_pause_together_after_it(messages: Messages) -> None:
    hints = Hints()
    hints.take(of("1"))
    assert messages.told == ["paper:1"]

    for one in ("3", "2", "3"):
        hints.take(of(one))
    wait_until(lambda: len(messages.told) == 2, 10, "the hint after the pause")

    assert messages.told == ["paper:1", "paper:2,paper:3"]


def test_a_pause_ends_also_when_nothing_comes_in_it(messages: Messages) -> None:
    hints = Hints()
    hints.take(of("1"))
    wait_until(lambda: not hints._is_pausing, 10, "the end of the pause")

    hints.take(of("2"))

    assert messages.told == ["paper:1", "paper:2"]


def test_a_message_names_a_bounded_number_of_orders_of_every_account(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postback, "SHORTEST_PAUSE", 3600)
    hints = Hints()
    for account in ("desk", "paper"):
        for number in range(100):
            hints.take(of(f"{number:03d}", account))
    hints._tell()

    named = Counter(one.partition(":")[0] for one in messages.told[-1].split(","))
    assert named == {"desk": MOST_NAMED, "paper": MOST_NAMED}


def test_where_no_thread_can_be_had_hints_are_told_without_a_pause(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread:
        def __init__(self, *_arguments: object) -> None:
            self.daemon = False

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(postback, "Timer", NoThread)
    hints = Hints()
    for one in ("1", "2"):
        hints.take(of(one))

    assert messages.told == ["paper:1", "paper:2"]
