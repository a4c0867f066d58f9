"""Stands in for curl, so that the guide's examples run alike on every machine, with curl and without.

Takes the options that the guide uses, as curl does, and refuses all others. The status of each answer goes into the
file that GUIDE_STATUSES names, a line each.
"""

import http.client
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.parse import urlsplit

NO_CONNECTION, TIMED_OUT = 7, 28


def main(arguments: list[str]) -> int:
    options = _options().parse_args(arguments)
    ends_at = time.monotonic() + options.max_time
    try:
        with open(options.output, "wb") if options.output else sys.stdout.buffer as output:
            for piece in _pieces(options, ends_at):
                output.write(piece)
                output.flush()
    except TimeoutError:
        return TIMED_OUT
    except ConnectionRefusedError:
        return NO_CONNECTION
    return 0


def _options() -> ArgumentParser:
    parser = ArgumentParser("curl", allow_abbrev=False)
    parser.add_argument("url")
    parser.add_argument("-s", "--silent", action="store_true")
    parser.add_argument("-S", "--show-error", action="store_true")
    parser.add_argument("-N", "--no-buffer", action="store_true")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("-o", "--output")
    parser.add_argument("--max-time", type=float, default=60.0)
    return parser


def _pieces(options: Namespace, ends_at: float) -> Iterator[bytes]:
    url = urlsplit(options.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=options.max_time)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    body = None if options.data is None else options.data.encode()
    connection.request(options.request or ("GET" if body is None else "POST"), path, body, _headers(options))
    sock = connection.sock
    answer = connection.getresponse()
    _note(answer.status)
    if options.include:
        yield _head(answer)
    while True:
        sock.settimeout(max(ends_at - time.monotonic(), 0.001))
        piece = answer.read1(65_536)
        if not piece:
            return
        yield piece


def _headers(options: Namespace) -> dict[str, str]:
    form = {} if options.data is None else {"Content-Type": "application/x-www-form-urlencoded"}
    given = dict(one.split(": ", 1) for one in options.header)
    return {"User-Agent": "curl", "Accept": "*/*"} | form | given


def _head(answer: HTTPResponse) -> bytes:
    status = f"HTTP/1.{answer.version % 10} {answer.status} {answer.reason}"
    lines = [status, *(f"{name}: {value}" for name, value in answer.getheaders()), "", ""]
    return "\r\n".join(lines).encode()


def _note(status: int) -> None:
    with open(os.environ["GUIDE_STATUSES"], "a") as statuses:
        statuses.write(f"{status}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
