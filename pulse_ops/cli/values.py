"""Types of what is typed on the command line."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click


class Instant(click.ParamType[datetime]):
    """An ISO 8601 date or time, taken as UTC when it names no offset; becomes an aware instant."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            given = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date or time like 2026-01-31 or 2026-01-31T09:15:00Z", param, ctx)
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)


class Price(click.ParamType[Decimal]):
    """A price per share, with the digits that were typed."""

    name = "price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", str(value)) is None:
            self.fail(f"{value!r} is not a price such as 2510.50", param, ctx)
        return Decimal(str(value))
