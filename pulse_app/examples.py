"""A body of each shape, as it was sent or answered."""

from typing import Any

_ORDER_ID, _SLICE_ID = "ord_01M83H8RHMTHDRXSMTYCVNSZWN", "sl_01M83H8RQ2V6SC3M4Y2KT5Z0E7"
_ACCOUNT_ID, _KEY_ID = "acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", "key_01M83HB0R4T5Y6W7X8Z9A0B1C2"
_WEBHOOK_ID = "whk_01M83HC3D4E5F6G7H8J9K0M1N2"
_KEY = "my-order-1"
_SPLIT = {"num_splits": 5, "duration_minutes": 60, "randomize": True}
_ACCEPTED = {"order_id": _ORDER_ID, "order_unique_key": _KEY}
_ORDER = {
    **_ACCEPTED,
    "order_type": "LIMIT",
    "limit_price": "2851.50",
    "start_at": "2026-11-23T06:25:06.100000Z",
    "product": "CNC",
    "slice_timeout_seconds": 300,
    "client_note": "rebalancing",
    "account_id": _ACCOUNT_ID,
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": _SPLIT,
    "status": "IN_PROGRESS",
    "result": None,
    "skip_reason": None,
    "filled_quantity": 41,
    "leaves_quantity": 59,
    "average_price": "2849.9744",
    "exposure": {"filled": 41, "working": 0, "unknown": 0, "unsent": 59},
    "slices": {"FILLED": 2, "SCHEDULED": 3},
    "end_at": "2026-11-23T07:25:06.100000Z",
    "created_at": "2026-11-23T06:25:06.100000Z",
    "updated_at": "2026-11-23T06:40:20.510000Z",
    "finished_at": None,
}
_SLICE = {
    "slice_id": _SLICE_ID,
    "sequence_number": 2,
    "quantity": 20,
    "scheduled_at": "2026-11-23T06:40:20.481000Z",
    "status": "FILLED",
    "sent_at": "2026-11-23T06:40:20.510000Z",
    "attempts": 1,
    "broker_order_id": "2611232308200000002",
    "filled_quantity": 20,
    "average_price": "2850.0000",
    "error": None,
}
_EVENT = {
    "event_id": 18,
    "type": "slice.filled",
    "order_id": _ORDER_ID,
    "slice_id": _SLICE_ID,
    "at": "2026-11-23T06:40:20.733000Z",
    "from_status": "WORKING",
    "to_status": "FILLED",
    "actor": "broker",
    "reason": "filled",
    "details": {},
}
_FEED = {"account_id": _ACCOUNT_ID, "events": [_EVENT], "last_event_id": 18, "is_complete": True}
_KEY_TEXT = f"pk_{_KEY_ID[4:]}_Zk3v9QdW1xR7bT5nM2cF8hJ4gL6pS0aYeUiOwXqVa1B2c3"
_API_KEY = {
    "key_id": _KEY_ID,
    "account_id": _ACCOUNT_ID,
    "name": "rebalancer",
    "scopes": ["orders:read", "orders:write"],
    "created_at": "2026-11-23T06:30:00.000000Z",
    "expires_at": "2027-02-21T06:30:00.000000Z",
    "last_used_at": None,
    "revoked_at": None,
}
_ACCOUNT = {
    "account_id": _ACCOUNT_ID,
    "username": "meera",
    "role": "trader",
    "is_active": True,
    "requests_per_minute": None,
    "created_at": "2026-11-23T06:20:00.000000Z",
    "updated_at": "2026-11-23T06:20:00.000000Z",
}
_WEBHOOK = {
    "webhook_id": _WEBHOOK_ID,
    "url": "https://example.com/pulse-events",
    "created_at": "2026-11-23T06:32:00.000000Z",
    "disabled_at": None,
    "delivered_event_id": 18,
    "failing_since": None,
    "failures": 0,
    "last_error": None,
}

EXAMPLES: dict[str, Any] = {
    "Login": {"username": "meera", "password": "a password of hers", "address": "192.0.2.7"},
    "Refresh": {"refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9", "address": "192.0.2.7"},
    "Password": {
        "current_password": "a password of hers",
        "new_password": "another password of hers",
        "address": "192.0.2.7",
    },
    "LoginAnswer": {
        "account_id": _ACCOUNT_ID,
        "username": "meera",
        "role": "trader",
        "generation": 1,
        "requests_per_minute": None,
        "session_id": "ses_01M83HD4E5F6G7H8J9K0M1N2P3",
        "refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9",
        "expires_at": "2026-11-23T18:25:00.000000Z",
    },
    "NewOrder": {
        "order_unique_key": _KEY,
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 100,
        "split_config": _SPLIT,
        "order_type": "LIMIT",
        "limit_price": "2851.50",
        "slice_timeout_seconds": 300,
        "client_note": "rebalancing",
    },
    "Accepted": _ACCEPTED,
    "Order": _ORDER,
    "OrderPage": {"orders": [_ORDER], "next_cursor": None},
    "Settlement": {"filled": 12, "price": "2850.05", "reason": "contract note of the day"},
    "Slice": _SLICE,
    "SliceList": {"slices": [_SLICE]},
    "Poll": {"after": {_ACCOUNT_ID: 17}, "limit": 100},
    "Feeds": {"feeds": [_FEED]},
    "OrderEvents": _FEED | {"next_after": None},
    "Audit": {
        **_ACCEPTED,
        "account_id": _ACCOUNT_ID,
        "trace": {"request_id": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        "entries": [_EVENT],
        "next_after": None,
    },
    "NewKey": {"name": "rebalancer", "scopes": ["orders:read", "orders:write"], "expires_in_days": 90},
    "Key": _API_KEY,
    "KeyList": {"keys": [_API_KEY]},
    "MadeKey": _API_KEY | {"api_key": _KEY_TEXT},
    "KeyText": {"api_key": _KEY_TEXT},
    "Holder": {
        "key_id": _KEY_ID,
        "account_id": _ACCOUNT_ID,
        "role": "trader",
        "scopes": ["orders:read", "orders:write"],
        "expires_at": "2027-02-21T06:30:00.000000Z",
        "requests_per_minute": None,
    },
    "NewWebhook": {"url": "https://example.com/pulse-events"},
    "Webhook": _WEBHOOK,
    "WebhookList": {"webhooks": [_WEBHOOK]},
    "MadeWebhook": {"webhook": _WEBHOOK, "secret": "whsec_5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9G0H1J2K3"},
    "NewAccount": {"username": "meera", "password": "a password of hers", "role": "trader"},
    "Account": _ACCOUNT,
    "AccountList": {"users": [_ACCOUNT]},
    "AccountChange": {"role": "operator", "requests_per_minute": 300},
    "News": {
        "revocations": [
            {
                "id": 7,
                "kind": "KEY",
                "subject": _KEY_ID,
                "generation": None,
                "revoked_at": "2026-11-23T06:45:00.000000Z",
            }
        ],
        "latest": 7,
    },
    "NewRevocation": {"account_id": _ACCOUNT_ID, "actor": "backoffice"},
    "Postback": {"body": "eyJvcmRlcl9pZCI6ICIyNjExMjMyMzA4MjAwMDAwMDAyIn0="},
    "Health": {"status": "ok"},
    "Ready": {"status": "ready", "degraded": []},
}
