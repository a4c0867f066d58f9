"""Holds event streams open: `python -m bench.stream_holder` reads a HolderSpec as JSON from one line of stdin.

It writes a line when all are open, reads them until stdin ends, and writes how many bytes came.
"""

import json
import selectors
import socket
import sys
from dataclasses import dataclass
from typing import BinaryIO

_SMALL_BUFFER_BYTES = 4096
_OPENING_SECONDS = 20


@dataclass(frozen=True)
class HolderSpec:
    """One stream for each of the `tokens`; the first `slow` of them are never read after their beginning."""

    port: int
    tokens: list[str]
    slow: int


def main() -> None:
    spec = HolderSpec(**json.loads(sys.stdin.buffer.readline()))
    streams = [_open(spec.port, token, number < spec.slow) for number, token in enumerate(spec.tokens)]
    print("open", flush=True)
    print(_read(streams[spec.slow :], sys.stdin.buffer), flush=True)


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


def _read(streams: list[socket.socket], until_ended: BinaryIO) -> int:
    total = 0
    with selectors.DefaultSelector() as selector:
        selector.register(until_ended, selectors.EVENT_READ)
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj is until_ended:
                    return total
                chunk = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                total += len(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)


if __name__ == "__main__":
    main()
