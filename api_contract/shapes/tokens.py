"""The shapes of tokens, as other services of the house ask about them."""

import re
from typing import Any

from marshmallow import fields, validate

from api_contract.fields import Truth, WholeNumber
from api_contract.ids import ACCOUNT_ID
from api_contract.shapes.api_keys import NETWORKS
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema, matches, shown
from api_contract.shapes.proof import WORD
from api_contract.shapes.users import role_field

JTI = re.compile("[A-Za-z0-9_.-]{1,64}")
_ACCOUNT_ID = shown(ACCOUNT_ID)


class IntrospectSchema(RequestSchema):
    token = fields.String(required=True, validate=validate.Length(1, 4096), metadata=WORD)


class IntrospectionSchema(AnswerSchema):
    """RFC 7662. Nothing but `active` for a token that is not."""

    active = Truth(required=True)
    sub = fields.String(metadata=_ACCOUNT_ID)
    role = role_field()
    scope = fields.String(metadata={"description": "Separated by spaces."})
    token_type = fields.String(validate=validate.OneOf(["access_token", "api_key"]))
    jti = fields.String(metadata={"description": "The token's id, or the key's."})
    networks = fields.List(fields.String(), metadata=NETWORKS)
    iat = WholeNumber()
    exp = WholeNumber()
    iss = fields.String()
    aud = fields.String()


class RevokeSchema(RequestSchema):
    jti = fields.String(validate=matches(JTI, "Must be the jti of a token."))
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)


class JwksSchema(AnswerSchema):
    keys = fields.List(fields.Dict(), required=True, metadata={"description": "RFC 7517. Empty with HS256."})


INTROSPECT, REVOKE = IntrospectSchema(), RevokeSchema()

EXAMPLES: dict[str, Any] = {
    "Introspect": {"token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."},
    "Introspection": {
        "active": True,
        "sub": AN_ACCOUNT,
        "role": "trader",
        "scope": "events:read orders:read orders:write",
        "token_type": "access_token",
        "jti": "5b2c1a7e-8f0d-4c6b-9a3e-2d1f4b6c8e0a",
        "iat": 1_795_415_106,
        "exp": 1_795_416_006,
        "iss": "gapi",
        "aud": "gapi-api",
    },
    "Revoke": {"account_id": AN_ACCOUNT},
    "Jwks": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": "2026-11",
                "use": "sig",
                "alg": "EdDSA",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ]
    },
}
