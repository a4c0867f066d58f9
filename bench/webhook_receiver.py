"""Takes what is posted to a webhook: `python -m bench.webhook_receiver` reads a ReceiverSpec from one line of stdin.

It writes a line when it listens, and once stdin ends how many events came, and when the last.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from bench.heard import Heard


@dataclass(frozen=True)
class ReceiverSpec:
    port: int


class Receiver(ThreadingHTTPServer):
    """Answers every delivery with 200."""

    daemon_threads = True
    heard = Heard(0, 0.0)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        # One webhook's deliveries come one after the other.
        self.server.heard = Heard(self.server.heard.events + len(body["events"]), time.time())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def main() -> None:
    spec = ReceiverSpec(**json.loads(sys.stdin.readline()))
    with Receiver(("127.0.0.1", spec.port), _Handler) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        print("open", flush=True)
        sys.stdin.read()
        print(json.dumps(asdict(receiver.heard)), flush=True)
        receiver.shutdown()


if __name__ == "__main__":
    main()
