"""What the services report about themselves."""

from marshmallow import fields, validate

from api_contract.shapes.base import AnswerSchema


class HealthSchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ok"))


class ReadySchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ready"))


EXAMPLES = {"Health": {"status": "ok"}, "Ready": {"status": "ready"}}
