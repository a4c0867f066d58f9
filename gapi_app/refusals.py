"""What the error codes of the gateway mean."""

from api_contract.refusals import BUSY, MISSING, NUMBER, SECONDS, SHARED, Refusal

UPSTREAM = ("UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT")
REFUSALS = SHARED | {
    "UNAUTHORIZED": Refusal(
        "No token, or one that is malformed, expired, revoked or made for something else.",
        "the access token has expired",
    ),
    "RATE_LIMITED": Refusal(
        "Too many requests, failed logins or open streams; `Retry-After` says when to try again.",
        "too many requests",
        {"limit": 1200, "window_seconds": 60, "retry_after_seconds": 30},
        {"retry_after_seconds": SECONDS, "limit": NUMBER, "window_seconds": SECONDS},
        ("retry_after_seconds",),
    ),
    "UPSTREAM_ERROR": Refusal(
        "The order service gave no answer that makes sense; what was asked may have been done.",
        "pulse broke off its answer",
    ),
    "SERVICE_UNAVAILABLE": Refusal(
        "Nothing was done; try again. `busy` says what there are too many of at once.",
        "orders cannot be served at the moment",
        {"missing": ["pulse"]},
        {"missing": MISSING, "busy": BUSY, "retry_after_seconds": SECONDS},
    ),
    "UPSTREAM_TIMEOUT": Refusal(
        "No answer in time. What was asked may have been done: repeat it with the same key.",
        "pulse did not answer in time; what was asked may have been done",
    ),
}
