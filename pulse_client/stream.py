"""Server-Sent Events, as the gateway writes them: one line of data for each event."""

from collections.abc import Iterator
from contextlib import suppress

from urllib3.exceptions import HTTPError

from pulse_client.transport import Response

_DATA = b"data: "


def data_of(stream: Response) -> Iterator[bytes]:
    """The data of each event, until the stream ends, is cut or falls silent."""
    try:
        with suppress(HTTPError):
            yield from (line.removeprefix(_DATA) for line in _lines(stream) if line.startswith(_DATA))
    finally:
        stream.close()


def _lines(stream: Response) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read1():
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
