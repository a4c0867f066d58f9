"""Holds event streams open: `python -m bench.stream_holder` reads a HolderSpec as JSON from one line of stdin.

It writes a line when all are open, reads them until stdin ends, and writes how many events came, and when the last.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import BinaryIO

from bench.heard import Heard

_SMALL_BUFFER_BYTES = 4096
_OPENING_SECONDS = 20
_EVENT = b"\nevent: "


@dataclass(frozen=True)
class HolderSpec:
    """One stream for each of the `tokens`; the first `slow` of them are never read after their beginning."""

    port: int
    tokens: list[str]
    slow: int


class EventCounter:
    """Counts the events in what comes of one stream, wherever it is cut."""

    def __init__(self) -> None:
        self._tail = b""

    def count(self, chunk: bytes) -> int:
        """How many began in this chunk, or were completed by it."""
        text = self._tail + chunk
        self._tail = text[-(len(_EVENT) - 1) :]
        return text.count(_EVENT)


def main() -> None:
    spec = HolderSpec(**json.loads(sys.stdin.buffer.readline()))
    streams = [_open(spec.port, token, number < spec.slow) for number, token in enumerate(spec.tokens)]
    print("open", flush=True)
    print(json.dumps(asdict(_read(streams[spec.slow :], sys.stdin.buffer))), flush=True)


def _open(port: int, token: str, is_slow: bool) -> socket.socket:
    stream = socket.socket()
    if is_slow:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
    stream.settimeout(_OPENING_SECONDS)
    stream.connect(("127.0.0.1", port))
    stream.sendall(
        b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    head = stream.recv(4096)
    if not head.startswith(b"HTTP/1.1 200"):
        msg = f"no stream: {head[:200]!r}"
        raise SystemExit(msg)
    return stream


def _read(streams: list[socket.socket], until_ended: BinaryIO) -> Heard:
    counters = {stream: EventCounter() for stream in streams}
    events, last_at = 0, 0.0
    with selectors.DefaultSelector() as selector:
        selector.register(until_ended, selectors.EVENT_READ)
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj is until_ended:
                    return Heard(events, last_at)
                telling = key.fileobj
                assert isinstance(telling, socket.socket)
                chunk = telling.recv(65_536)
                if new := counters[telling].count(chunk):
                    events, last_at = events + new, time.time()
                if not chunk:
                    selector.unregister(telling)


if __name__ == "__main__":
    main()
