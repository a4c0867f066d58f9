"""Server-Sent Events, as the gateway writes them: one line of data for each event."""

from collections.abc import Iterator
from contextlib import suppress

from urllib3.exceptions import HTTPError

from pulse_client.transport import Response

_DATA = b"data: "


def data_of(stream: Response) -> Iterator[bytes]:
    """The data of each event, until the stream ends, is cut, is ended or falls silent."""
    try:
        # A stream that is ended by another thread may fail in any way.
        with suppress(HTTPError, OSError, ValueError):
            yield from _data(stream)
    finally:
        stream.close()


def _data(stream: Response) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read1():
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removeprefix(_DATA) for line in whole if line.startswith(_DATA))
