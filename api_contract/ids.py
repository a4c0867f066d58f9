"""Ids that say what they name: a prefix and a ULID, which the callers pass in."""

import re

from ulid import ULID

# Crockford's base 32; the first character of 128 bits is at most 7.
ULID_PATTERN = "[0-7][0-9A-HJKMNP-TV-Z]{25}"

ORDER_ID = re.compile(f"ord_{ULID_PATTERN}")
SLICE_ID = re.compile(f"sl_{ULID_PATTERN}")
ACCOUNT_ID = re.compile(f"acc_{ULID_PATTERN}")
SESSION_ID = re.compile(f"ses_{ULID_PATTERN}")
KEY_ID = re.compile(f"key_{ULID_PATTERN}")
WEBHOOK_ID = re.compile(f"whk_{ULID_PATTERN}")
DELIVERY_ID = re.compile(f"whd_{ULID_PATTERN}")
ALARM_ID = re.compile(f"alm_{ULID_PATTERN}")
HALT_ID = re.compile(f"halt_{ULID_PATTERN}")


def order_id(ulid: ULID) -> str:
    return f"ord_{ulid}"


def slice_id(ulid: ULID) -> str:
    return f"sl_{ulid}"


def account_id(ulid: ULID) -> str:
    return f"acc_{ulid}"


def session_id(ulid: ULID) -> str:
    return f"ses_{ulid}"


def api_key_id(ulid: ULID) -> str:
    return f"key_{ulid}"


def webhook_id(ulid: ULID) -> str:
    return f"whk_{ulid}"


def delivery_id(ulid: ULID) -> str:
    return f"whd_{ulid}"


def alarm_id(ulid: ULID) -> str:
    return f"alm_{ulid}"


def halt_id(ulid: ULID) -> str:
    return f"halt_{ulid}"
