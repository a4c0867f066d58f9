"""A receiver of webhooks on a loopback port that answers as it is told."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass
class Delivery:
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        return json.loads(self.body)["events"]


@dataclass
class Receiver:
    """`statuses` are used up first, then it is 204 for all; 0 trickles an answer that has no end.

    Answers wait until `may_answer` is set, as it is at first.
    """

    url: str = ""
    statuses: deque[int] = field(default_factory=deque)
    deliveries: list[Delivery] = field(default_factory=list)
    connections: int = 0
    may_answer: Event = field(default_factory=Event)
    ended: Event = field(default_factory=Event)

    def event_ids(self) -> list[int]:
        """Those of events that happened: a test's is 0."""
        return [event["event_id"] for one in self.deliveries for event in one.events if event["event_id"]]

    @property
    def tests(self) -> int:
        return sum(event["event_id"] == 0 for one in self.deliveries for event in one.events)


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        self.receiver.connections += 1
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.deliveries.append(Delivery(dict(self.headers), body))
        self.receiver.may_answer.wait()
        status = self.receiver.statuses.popleft() if self.receiver.statuses else 204
        if status == 0:
            self._trickle()
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Location", f"{self.receiver.url}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _trickle(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.receiver.ended.wait(0.1):
            try:
                self.wfile.write(b"x")
            except OSError:
                return

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.may_answer.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"receiver": receiver}))
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        receiver.may_answer.set()
        server.shutdown()
        server.server_close()
