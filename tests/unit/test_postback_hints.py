"""Postbacks become hints: at once or a moment later, several orders in one message, and none is forgotten."""

import pytest

from pulse_core.tasks import Task
from pulse_core.trading.slice import postback
from pulse_core.trading.slice.postback import MOST_NAMED, Hints
from tests.support.processes import wait_until


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
    hints.take("1")
    assert messages.told == ["1"]

    for one in ("3", "2", "3"):
        hints.take(one)
    wait_until(lambda: len(messages.told) == 2, 10, "the hint after the pause")

    assert messages.told == ["1", "2,3"]


def test_a_pause_ends_also_when_nothing_comes_in_it(messages: Messages) -> None:
    hints = Hints()
    hints.take("1")
    wait_until(lambda: not hints._is_pausing, 10, "the end of the pause")

    hints.take("2")

    assert messages.told == ["1", "2"]


def test_a_message_names_a_bounded_number_of_orders(messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postback, "SHORTEST_PAUSE", 3600)
    hints = Hints()
    for number in range(100):
        hints.take(f"{number:03d}")
    hints._tell()

    assert len(messages.told[-1].split(",")) == MOST_NAMED


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
        hints.take(one)

    assert messages.told == ["1", "2"]
