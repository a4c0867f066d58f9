"""What an open stream says when nothing happens, and when it ends, by a clock that the test moves."""

from dataclasses import dataclass, field
from typing import cast

from gapi_app.events.client import Feed
from gapi_app.events.hub import Channel
from gapi_app.events.streams import HEARTBEAT, Stream
from tests.support.clock import ManualClock


@dataclass
class Silence:
    """An account to which nothing happens: whoever waits for an event waits until the end."""

    clock: ManualClock
    waits: list[float] = field(default_factory=list)

    def after(self, _cursor: int) -> list[object]:
        return []

    def wait(self, _cursor: int, seconds: float) -> bool:
        self.waits.append(seconds)
        self.clock.sleep(seconds)
        return False


def read(_cursor: int) -> Feed:
    raise AssertionError


def test_a_silent_stream_says_so_at_each_heartbeat_and_ends_with_its_token() -> None:
    clock = ManualClock()
    silence = Silence(clock)
    stream = Stream(cast("Channel", silence), 7, read, lambda: False, clock.now() + 40, 15, clock=clock)

    first, *then = stream.frames()

    assert b"id: 7" in first
    assert then == [HEARTBEAT, HEARTBEAT]
    assert silence.waits == [15, 15, 10]
