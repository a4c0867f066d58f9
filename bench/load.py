"""The load generator: a process of its own that keeps connections busy with requests made beforehand.

`python -m bench.load` reads a LoadSpec as JSON from stdin and writes what it saw to stdout. It imports the standard
library only and does next to nothing for each request, so that it takes as little as possible from what it measures.
"""

import json
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

KEY = "@KEY@"
KEY_WIDTH = 20
_LAST_ANSWERS_SECONDS = 10.0


@dataclass(frozen=True)
class LoadSpec:
    """What to send: `requests` are whole HTTP requests, given to the connections in turn.

    KEY in a request becomes a text of KEY_WIDTH characters that is never the same. The load ends after `seconds`, or
    after `most` requests if that is not 0.
    """

    port: int
    connections: int
    seconds: float
    requests: list[str]
    key_prefix: str
    most: int = 0


@dataclass
class Seen:
    """What came back. `latencies` and `elapsed` are in seconds; `cpu_seconds` is what the generator itself took."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    elapsed: float = 0.0
    cpu_seconds: float = 0.0
    broken: int = 0
    unanswered: int = 0


class _Connection:
    def __init__(self, port: int, request: str) -> None:
        self.before, _key, self.after = (part.encode() for part in request.partition(KEY))
        self.port = port
        self.sent_at = 0.0
        self.answer = b""
        self.connect()

    def connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""

    def send(self, key: bytes) -> None:
        self.answer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.before + key + self.after)


class _Load:
    def __init__(self, spec: LoadSpec) -> None:
        self.spec = spec
        self.seen = Seen()
        self.statuses: Counter[bytes] = Counter()
        self.epoll = select.epoll()
        self.connections: dict[int, _Connection] = {}
        self.number = 0
        for index in range(min(spec.connections, spec.most or spec.connections)):
            self._watch(_Connection(spec.port, spec.requests[index % len(spec.requests)]))

    def run(self) -> Seen:
        started, cpu = time.perf_counter(), time.process_time()
        sending_ends = started + self.spec.seconds
        for connection in self.connections.values():
            self._send(connection)
        waiting = len(self.connections)
        while waiting and time.perf_counter() < sending_ends + _LAST_ANSWERS_SECONDS:
            for descriptor, _event in self.epoll.poll(0.5):
                if not self._receive(self.connections[descriptor]):
                    continue
                if self._is_enough() or time.perf_counter() >= sending_ends:
                    waiting -= 1
                else:
                    self._send(self.connections[descriptor])
        self.seen.unanswered = waiting
        self.seen.elapsed = time.perf_counter() - started
        self.seen.cpu_seconds = time.process_time() - cpu
        self.seen.statuses = {status.decode(): count for status, count in self.statuses.items()}
        return self.seen

    def _watch(self, connection: _Connection) -> None:
        self.connections[connection.socket.fileno()] = connection
        self.epoll.register(connection.socket.fileno(), select.EPOLLIN)

    def _is_enough(self) -> bool:
        return 0 < self.spec.most <= self.number

    def _send(self, connection: _Connection) -> None:
        self.number += 1
        connection.send(f"{self.spec.key_prefix}{self.number:0{KEY_WIDTH - len(self.spec.key_prefix)}}".encode())

    def _receive(self, connection: _Connection) -> bool:
        """Whether the answer is whole, or will never be."""
        chunk = connection.socket.recv(65_536)
        if not chunk:
            return self._replace(connection)
        connection.answer += chunk
        if not is_whole(connection.answer):
            return False
        self.seen.latencies.append(time.perf_counter() - connection.sent_at)
        self.statuses[connection.answer[9:12]] += 1
        return True

    def _replace(self, connection: _Connection) -> bool:
        self.seen.broken += 1
        descriptor = connection.socket.fileno()
        self.epoll.unregister(descriptor)
        del self.connections[descriptor]
        connection.socket.close()
        connection.connect()
        self._watch(connection)
        self._send(connection)
        return False


def is_whole(answer: bytes) -> bool:
    """Whether these bytes are a whole HTTP answer with a Content-Length."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    start = head.find(b"content-length:")
    length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
    return len(answer) >= end + 4 + length


def main() -> None:
    seen = _Load(LoadSpec(**json.load(sys.stdin))).run()
    json.dump(asdict(seen), sys.stdout)


if __name__ == "__main__":
    main()
