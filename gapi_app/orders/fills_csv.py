"""The trades of an order as CSV (RFC 4180), for clients that ask for it: a line of names, then one for each trade."""

import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from api_contract.shapes.slices import FillSchema

MEDIA_TYPE = "text/csv"
EXAMPLE = "slice_id,sequence_number,...\r\nsl_01M83H8RQ2V6SC3M4Y2KT5Z0E7,2,...\r\n"
NEXT_PAGE = {
    "Link": {"description": "Of CSV: the next page, with `rel=next`; none on the last.", "schema": {"type": "string"}}
}
_COLUMNS = tuple(FillSchema().fields)
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def is_csv_asked_for() -> bool:
    """Whether Accept names it. Who takes anything gets the form that everybody gets."""
    accepted = request.accept_mimetypes
    is_named = any(name.lower() == MEDIA_TYPE for name, _quality in accepted)
    return is_named and accepted[MEDIA_TYPE] >= accepted["application/json"] and accepted[MEDIA_TYPE] > 0


def as_csv(page: Mapping[str, Any], query: Mapping[str, Any]) -> Response:
    """A page of trades; the header `Link` says where the next one is."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(_COLUMNS)
    lines.writerows([cell(fill[name]) for name in _COLUMNS] for fill in page["fills"])
    answer = Response(text.getvalue(), content_type=f"{MEDIA_TYPE}; charset=utf-8; header=present")
    if page["next_cursor"] is not None:
        further = urlencode({**query, "cursor": page["next_cursor"]})
        answer.headers["Link"] = f'<{request.path}?{further}>; rel="next"'
    return answer


def cell(value: Any) -> Any:
    """A value as it stands in a cell: what would be taken for a formula is marked as text by an apostrophe."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
