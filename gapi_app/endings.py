"""What ends one day says so in every answer to a request that uses it: docs/api-changes.md, "How something ends"."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime

from flask import Flask, Response, request

# Where the document is read that marks it, and says what takes its place.
PAGE = "/docs"


@dataclass(frozen=True)
class Ending:
    """A query parameter that is deprecated since a day (RFC 9745) and works until the end of another (RFC 8594)."""

    since: date
    last_day: date

    @property
    def headers(self) -> Mapping[str, str]:
        since = datetime.combine(self.since, time(0), UTC)
        end = datetime.combine(self.last_day, time(23, 59, 59), UTC)
        return {
            "Deprecation": f"@{since.timestamp():.0f}",
            "Sunset": format_datetime(end, usegmt=True),
            "Link": f'<{PAGE}>; rel="deprecation"; type="text/html"',
        }


AFTER = Ending(date(2026, 11, 28), date(2027, 12, 31))
# By route and parameter.
ENDING: Mapping[str, Mapping[str, Ending]] = {
    "/api/keys": {"after": AFTER},
    "/api/admin/keys": {"after": AFTER},
    "/api/admin/users": {"after": AFTER},
}


def tell_endings(app: Flask) -> None:
    """Have answers to requests that use what ends carry its headers, refusals included."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, ending in ENDING.get(str(request.url_rule), {}).items():
            if name in request.args:
                for header, value in ending.headers.items():
                    response.headers.add(header, value)
        return response
