"""The shapes of what proves that it is the account's owner who asks: its password, and a second factor."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api_contract.account_rules import RECOVERY_CODE, TOTP_CODE
from api_contract.fields import Instant, Truth, WholeNumber
from api_contract.shapes.base import AnswerSchema, RequestSchema, matches, shown

# A password in a form.
WORD = {"format": "password"}
AGAIN = {**WORD, "description": "The account's password again: this is not done without."}


def totp_code_field(**options: Any) -> fields.String:
    """The field of a code that an authenticator app shows."""
    text = "What the app shows, where a second factor is on. Each code is taken once."
    metadata = {**shown(TOTP_CODE), "description": text, "example": "492039"}
    return fields.String(validate=matches(TOTP_CODE, "Must be six digits."), metadata=metadata, **options)


class WithProofSchema(Schema):
    """The second factor, in the same request as the password."""

    totp_code = totp_code_field()
    recovery_code = fields.String(
        validate=matches(RECOVERY_CODE, "Must be a recovery code."),
        metadata={
            **shown(RECOVERY_CODE),
            "description": "In place of `totp_code`, once.",
            "example": "k3m7-q2xd-7vbn-4w6t",
        },
    )

    @validates_schema
    def one_of_them(self, given: dict[str, Any], **_: Any) -> None:
        if "totp_code" in given and "recovery_code" in given:
            raise ValidationError("Not together with totp_code.", "recovery_code")


class ProofSchema(WithProofSchema, RequestSchema):
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=AGAIN)


class ConfirmationSchema(RequestSchema):
    totp_code = totp_code_field(required=True)


class SecondFactorSchema(AnswerSchema):
    is_on = Truth(required=True)
    since = Instant(required=True, allow_none=True)
    recovery_codes_left = WholeNumber(required=True)
    is_required = Truth(required=True, metadata={"description": "By the account's role."})


class EnrolmentSchema(AnswerSchema):
    secret = fields.String(required=True, metadata={"description": "In base 32, for an app; shown this once."})
    otpauth_uri = fields.String(required=True, metadata={"description": "The same, to be shown as a QR code."})
    qr_rows = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "That QR code, row by row, 1 for each dark module; four light ones go around it."},
    )
    digits = WholeNumber(required=True)
    period_seconds = WholeNumber(required=True)
    expires_at = Instant(required=True, metadata={"description": "Confirm it before."})


class RecoveryCodesSchema(AnswerSchema):
    recovery_codes = fields.List(
        fields.String(), required=True, metadata={"description": "Each is good once; shown this once."}
    )


PROOF, CONFIRMATION = ProofSchema(), ConfirmationSchema()

_IN_BASE_32 = "YZMQ3S7FZU6W6RHMZSFPZINUG2MU2P5A"
EXAMPLES: dict[str, Any] = {
    "Proof": {"password": "a password of hers", "totp_code": "492039"},
    "Confirmation": {"totp_code": "492039"},
    "SecondFactor": {
        "is_on": True,
        "since": "2026-11-23T06:31:00.000000Z",
        "recovery_codes_left": 9,
        "is_required": False,
    },
    "Enrolment": {
        "secret": _IN_BASE_32,
        "otpauth_uri": f"otpauth://totp/Pulse:meera?digits=6&secret={_IN_BASE_32}&algorithm=SHA1&issuer=Pulse&period=30",
        "qr_rows": ["11111110100101001100001111111", "10000010011010111010101000001"],
        "digits": 6,
        "period_seconds": 30,
        "expires_at": "2026-11-23T06:45:00.000000Z",
    },
    "RecoveryCodes": {"recovery_codes": ["k3m7-q2xd-7vbn-4w6t", "wq5a-ttl2-m6hc-3zje"]},
}
