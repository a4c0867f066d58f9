"""The shapes that only the two services exchange; where both have one, this is the internal one."""

import re
from typing import Any

from marshmallow import Schema, fields, validate

from api_contract.fields import Instant, Limit, Truth, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, KEY_ID
from api_contract.shapes import api_keys, broker_logins, health, logins, proof, tokens
from api_contract.shapes.alarms import ALARM_EVENT_EXAMPLE, AlarmEventSchema
from api_contract.shapes.api_keys import KEY_TEXT_EXAMPLE, networks_shown, scopes_shown
from api_contract.shapes.base import A_KEY, AN_ACCOUNT, AnswerSchema, RequestSchema, matches, next_cursor_field, shown
from api_contract.shapes.events import (
    EVENT_EXAMPLE,
    MERGED_EVENT_EXAMPLE,
    MOST_EVENTS_AT_ONCE,
    NEXT,
    EventQuerySchema,
    EventSchema,
    MergedEventSchema,
)
from api_contract.shapes.users import own_limit, role_field
from api_contract.vocabulary import RevocationKind

MOST_FEEDS = 500
SESSION = re.compile("[A-Za-z0-9_]{1,64}")
_PROCESS_ID, _DIGEST = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{64}")
_ACCOUNT_ID, _KEY_ID = shown(ACCOUNT_ID), shown(KEY_ID)


class _FromAddressSchema(Schema):
    address = fields.String(
        load_default=None,
        validate=validate.Length(1, 64),
        metadata={"description": "Where the client called the gateway from.", "example": "192.0.2.7"},
    )


class LoginSchema(_FromAddressSchema, logins.LoginSchema):
    pass


class RefreshSchema(_FromAddressSchema, logins.RefreshSchema):
    pass


class PasswordSchema(_FromAddressSchema, logins.PasswordSchema):
    pass


class NewKeySchema(_FromAddressSchema, api_keys.NewKeySchema):
    pass


class ProofSchema(_FromAddressSchema, proof.ProofSchema):
    pass


class BrokerLoginSchema(_FromAddressSchema, broker_logins.BrokerLoginSchema):
    pass


class ConfirmationSchema(_FromAddressSchema, proof.ConfirmationSchema):
    pass


class LoginAnswerSchema(AnswerSchema):
    account_id = fields.String(required=True, attribute="account.id", metadata=_ACCOUNT_ID)
    username = fields.String(required=True, attribute="account.username")
    role = role_field(required=True, attribute="account.role")
    generation = WholeNumber(required=True, attribute="account.generation")
    requests_per_minute = own_limit(required=True, attribute="account.requests_per_minute")
    session_id = fields.String(required=True)
    refresh_token = fields.String(required=True)
    expires_at = Instant(required=True, metadata={"description": "When the login ends, however often refreshed."})
    must_enrol = Truth(required=True, metadata={"description": "It may only set up a second factor."})


class MeQuerySchema(RequestSchema):
    session_id = fields.String(
        validate=matches(SESSION, "Must be a session_id."), metadata={"description": "The login that calls."}
    )


class WhoSchema(logins.AboutMeSchema):
    account_id = fields.String(required=True, attribute="id", metadata=_ACCOUNT_ID)


class KeyTextSchema(RequestSchema):
    api_key = fields.String(required=True, validate=validate.Length(1, 100), metadata={"format": "password"})


class HolderSchema(AnswerSchema):
    key_id = fields.String(required=True, metadata=_KEY_ID)
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    role = role_field(required=True)
    scopes = scopes_shown()
    expires_at = Instant(required=True)
    requests_per_minute = own_limit(required=True)
    networks = networks_shown()
    generation = WholeNumber(required=True, metadata={"description": "The account's: with a newer one, ask again."})


class NewsQuerySchema(RequestSchema):
    after = Limit(0, 999_999_999, load_default=0)
    limit = Limit(1, 1000, load_default=500)


class RevocationSchema(AnswerSchema):
    id = WholeNumber(required=True)
    kind = Word(RevocationKind, required=True)
    subject = fields.String(required=True, metadata={"description": "jti, session, key or account."})
    generation = WholeNumber(
        required=True, allow_none=True, metadata={"description": "ACCOUNT: tokens of older generations are revoked."}
    )
    revoked_at = Instant(required=True)


class NewsSchema(AnswerSchema):
    revocations = fields.List(fields.Nested(RevocationSchema), required=True)
    latest = WholeNumber(required=True, metadata={"description": "The id of the very last one."})


class NewRevocationSchema(tokens.RevokeSchema):
    actor = fields.String(required=True, validate=validate.Regexp(r"[a-z0-9-]{1,32}\Z"))


class SignOfLifeSchema(RequestSchema):
    process_id = fields.String(
        required=True,
        validate=matches(_PROCESS_ID, "Must be 32 hexadecimal digits."),
        metadata={"description": "New at each start."},
    )
    host = fields.String(required=True, validate=validate.Length(1, 255))
    pid = WholeNumber(required=True, validate=validate.Range(1, 2**31 - 1))
    version = fields.String(required=True, validate=validate.Length(1, 64))
    settings_digest = fields.String(required=True, validate=matches(_DIGEST, "Must be 64 hexadecimal digits."))
    clock_ahead_ms = WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(-(10**15), 10**15),
        metadata={"description": "How far its clock is ahead of the database's; null while it does not know."},
    )
    has_ended = Truth(load_default=False, metadata={"description": "It ends as it should."})


class PollSchema(RequestSchema):
    after = fields.Dict(
        required=True,
        keys=fields.String(validate=matches(ACCOUNT_ID, "Must be an account's id.")),
        values=WholeNumber(allow_none=True, validate=validate.Range(0, 10**18)),
        validate=validate.Length(1, MOST_FEEDS),
        metadata={
            "minProperties": 1,
            "maxProperties": MOST_FEEDS,
            "description": "The last event_id seen of each account; null asks for the latest and no events.",
        },
    )
    limit = WholeNumber(load_default=100, validate=validate.Range(1, MOST_EVENTS_AT_ONCE))


class FeedPollSchema(RequestSchema):
    after = WholeNumber(
        required=True,
        allow_none=True,
        validate=validate.Range(0, 10**18),
        metadata={"description": "The last event_id seen; null asks for the latest and no events."},
    )
    limit = WholeNumber(load_default=100, validate=validate.Range(1, MOST_EVENTS_AT_ONCE))


class FeedSchema(AnswerSchema):
    account_id = fields.String(required=True)
    events = fields.List(fields.Nested(EventSchema), required=True)
    last_event_id = WholeNumber(required=True, metadata={"description": "The latest that can be read."})
    is_complete = fields.Boolean(required=True, metadata={"description": "False while older events await numbers."})


class FeedsSchema(AnswerSchema):
    feeds = fields.List(fields.Nested(FeedSchema), required=True)


class AlarmPollSchema(FeedPollSchema):
    pass


class AlarmNewsSchema(AnswerSchema):
    events = fields.List(fields.Nested(AlarmEventSchema), required=True)
    last_event_id = WholeNumber(required=True, metadata={"description": "The latest that can be read."})
    is_complete = fields.Boolean(required=True, metadata={"description": "False while older events await numbers."})


class MergedNewsSchema(AnswerSchema):
    events = fields.List(fields.Nested(MergedEventSchema), required=True)
    last_event_id = WholeNumber(required=True, metadata={"description": "The latest that can be read."})
    is_complete = fields.Boolean(required=True, metadata={"description": "False while older events await numbers."})


class OrderEventsSchema(FeedSchema):
    next_after = WholeNumber(required=True, allow_none=True, metadata=NEXT)
    next_cursor = next_cursor_field()


class AccountEventQuerySchema(EventQuerySchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )


class PostbackSchema(RequestSchema):
    body = fields.String(required=True, metadata={"description": "What the broker posted, in base64."})


class ReadySchema(health.ReadySchema):
    degraded = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "What stops no order: redis away, broker accounts held, halts, settings that differ."},
    )
    broker_accounts = fields.List(
        fields.Nested(broker_logins.BrokerStatusSchema),
        required=True,
        metadata={"description": "Who is logged in at the brokers, and until when."},
    )


LOGIN, REFRESH, PASSWORD = LoginSchema(), RefreshSchema(), PasswordSchema()
NEW_KEY = NewKeySchema()
PROOF, CONFIRMATION = ProofSchema(), ConfirmationSchema()
BROKER_LOGIN = BrokerLoginSchema()
SIGN_OF_LIFE = SignOfLifeSchema()
KEY_TEXT, NEWS_QUERY, NEW_REVOCATION = KeyTextSchema(), NewsQuerySchema(), NewRevocationSchema()
ME_QUERY, ACCOUNT_EVENT_QUERY = MeQuerySchema(), AccountEventQuerySchema()
POLL, ALARM_POLL, FEED_POLL, POSTBACK = PollSchema(), AlarmPollSchema(), FeedPollSchema(), PostbackSchema()

_ADDRESS = {"address": "192.0.2.7"}
_FEED = {"account_id": AN_ACCOUNT, "events": [EVENT_EXAMPLE], "last_event_id": 18, "is_complete": True}
EXAMPLES: dict[str, Any] = {
    **{name: logins.EXAMPLES[name] | _ADDRESS for name in ("Login", "Refresh", "Password")},
    **{name: proof.EXAMPLES[name] | _ADDRESS for name in ("Proof", "Confirmation")},
    "NewKey": api_keys.EXAMPLES["NewKey"] | _ADDRESS,
    "BrokerLogin": broker_logins.EXAMPLES["BrokerLogin"] | _ADDRESS,
    "LoginAnswer": {
        "account_id": AN_ACCOUNT,
        "username": "meera",
        "role": "trader",
        "generation": 1,
        "requests_per_minute": None,
        "session_id": "ses_01M83HD4E5F6G7H8J9K0M1N2P3",
        "refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9",
        "expires_at": "2026-11-23T18:25:00.000000Z",
        "must_enrol": False,
    },
    "Who": {
        "account_id": AN_ACCOUNT,
        "username": "meera",
        "role": "trader",
        "login_ends_at": "2026-11-23T18:25:00.000000Z",
    },
    "KeyText": {"api_key": KEY_TEXT_EXAMPLE},
    "SignOfLife": {
        "process_id": "5f0c1d9e2b7a4c6d8e9f0a1b2c3d4e5f",
        "host": "front-1",
        "pid": 4711,
        "version": "0.1.0",
        "settings_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "clock_ahead_ms": 3,
        "has_ended": False,
    },
    "Holder": {
        "key_id": A_KEY,
        "account_id": AN_ACCOUNT,
        "role": "trader",
        "scopes": ["orders:read", "orders:write"],
        "expires_at": "2027-02-21T06:30:00.000000Z",
        "requests_per_minute": None,
        "networks": [],
        "generation": 1,
    },
    "Poll": {"after": {AN_ACCOUNT: 17}, "limit": 100},
    "Feeds": {"feeds": [_FEED]},
    "AlarmPoll": {"after": 6, "limit": 100},
    "AlarmNews": {"events": [ALARM_EVENT_EXAMPLE], "last_event_id": 7, "is_complete": True},
    "FeedPoll": {"after": 4710, "limit": 100},
    "MergedNews": {"events": [MERGED_EVENT_EXAMPLE], "last_event_id": 4711, "is_complete": True},
    "OrderEvents": _FEED | {"next_after": None, "next_cursor": None},
    "News": {
        "revocations": [
            {
                "id": 7,
                "kind": "KEY",
                "subject": A_KEY,
                "generation": None,
                "revoked_at": "2026-11-23T06:45:00.000000Z",
            }
        ],
        "latest": 7,
    },
    "NewRevocation": {"account_id": AN_ACCOUNT, "actor": "backoffice"},
    "Postback": {"body": "eyJvcmRlcl9pZCI6ICIyNjExMjMyMzA4MjAwMDAwMDAyIn0="},
    "Ready": {
        "status": "ready",
        "degraded": [],
        "broker_accounts": [broker_logins.EXAMPLES["BrokerStatus"]],
    },
}
