"""What all shapes have in common."""

from collections.abc import Collection
from re import Pattern

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

# Of the examples.
AN_ACCOUNT, A_KEY = "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", "key_01M83HB0R4T5Y6W7X8Z9A0B1C2"
AN_ORDER, A_SLICE = "ord_01M83H8RHMTHDRXSMTYCVNSZWN", "sl_01M83H8RQ2V6SC3M4Y2KT5Z0E7"
AN_ALARM = "alm_01M83HE5F6G7H8J9K0M1N2P3Q4"
A_WEBHOOK = "whk_01M83HC3D4E5F6G7H8J9K0M1N2"


class AnswerSchema(Schema):
    """Further fields may follow in answers."""

    class Meta:
        unknown = EXCLUDE


class RequestSchema(Schema):
    class Meta:
        unknown = RAISE


def error_schema(codes: Collection[str]) -> type[Schema]:
    """The shape of every error of a service that answers with these codes."""

    class ErrorDetailSchema(AnswerSchema):
        code = fields.String(required=True, validate=validate.OneOf(sorted(codes)))
        message = fields.String(required=True, metadata={"description": "For a person."})
        details = fields.Dict(required=True, metadata={"description": "Names the field and the rule broken."})

    class ErrorSchema(AnswerSchema):
        error = fields.Nested(ErrorDetailSchema, required=True)

    return ErrorSchema


def cursor_field() -> fields.String:
    """The field of a query that goes on where a page ended; everywhere the same."""
    return fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_=-]{1,2000}\Z", error="Must be a next_cursor of an earlier answer."),
        metadata={"description": "`next_cursor` of the page before."},
    )


def next_cursor_field() -> fields.String:
    """The field of a page that says where the next one begins."""
    return fields.String(required=True, allow_none=True, metadata={"description": "null on the last page."})


def matches(pattern: Pattern[str], error: str) -> validate.Regexp:
    """A check that all of a text has the pattern."""
    return validate.Regexp(rf"{pattern.pattern}\Z", error=error)


def shown(pattern: Pattern[str]) -> dict[str, str]:
    """The metadata of a field whose text has the pattern."""
    return {"pattern": f"^{pattern.pattern}$"}
