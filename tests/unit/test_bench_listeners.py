"""Who listens in a benchmark: what they count, and how they tell it."""

import http.client
import json

import pytest

from bench.children import BenchError
from bench.holders import RECEIVER, STREAMS, held
from bench.stream_holder import EventCounter, HolderSpec
from bench.webhook_receiver import ReceiverSpec
from pulse_ops.stack.ports import free_port

FRAMES = (
    b'retry: 1000\nid: 0\n\nid: 1\nevent: fill\ndata: {"a":"b"}\n\nid: 2\nevent: slice.moved\ndata: {}\n\n: ping\n\n'
)


@pytest.mark.parametrize("size", [1, 3, 9, len(FRAMES)])
def test_events_are_counted_wherever_the_stream_is_cut(size: int) -> None:
    counter = EventCounter()

    assert sum(counter.count(FRAMES[at : at + size]) for at in range(0, len(FRAMES), size)) == 2


def test_a_receiver_tells_how_many_events_were_posted() -> None:
    spec = ReceiverSpec(free_port())
    with held(RECEIVER, spec) as receiver:
        for count in (2, 3):
            client = http.client.HTTPConnection("127.0.0.1", spec.port, timeout=10)
            client.request("POST", "/", json.dumps({"webhook_id": "whk_1", "events": [{}] * count}))
            assert client.getresponse().status == 200
            client.close()
        heard = receiver.ask_what_it_heard()

    assert heard.events == 5
    assert heard.last_at > 0


def test_streams_that_cannot_be_opened_are_said() -> None:
    with (
        pytest.raises(BenchError, match=r"bench\.stream_holder could not begin"),
        held(STREAMS, HolderSpec(free_port(), ["token"], 0)),
    ):
        pass
