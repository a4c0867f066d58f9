"""A broker that writes down what arrives and when, shows an empty book, and answers nothing else.

    python -m tests.support.arrivals ADDRESS FILE [CERTIFICATE]

Listens on port 80, and with a certificate (and its key, in one file) on 443 too. A line of the file is one request.
"""

import asyncio
import json
import re
import ssl
import sys
import time
from contextlib import suppress
from pathlib import Path

HTTP, HTTPS = 80, 443
BOOK = b'{"status": "success", "data": []}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BOOK), BOOK)
# A placement is named by its tag, a cancellation by its order.
NAME = re.compile(rb"tag=(\w+)|DELETE /orders/regular/(\w+)")


class Arrivals:
    def __init__(self, file: Path) -> None:
        self._file = file.open("a", buffering=1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                self._note(head + await reader.readexactly(int(length[1]) if length else 0))
                if head.startswith(b"GET"):
                    writer.write(ANSWER)

    def _note(self, request: bytes) -> None:
        if name := NAME.search(request):
            arrival = {"name": (name[1] or name[2]).decode(), "at": time.monotonic()}
            self._file.write(f"{json.dumps(arrival)}\n")


async def main(address: str, file: str, *certificates: str) -> None:
    arrivals = Arrivals(Path(file))
    servers = [await asyncio.start_server(arrivals.serve, address, HTTP, backlog=1000)]
    for certificate in certificates:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        servers.append(await asyncio.start_server(arrivals.serve, address, HTTPS, ssl=context, backlog=1000))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
