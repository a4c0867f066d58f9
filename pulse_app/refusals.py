"""What the error codes of pulse mean."""

from api_contract.refusals import BUSY, MISSING, SECONDS, SHARED, Refusal

CLOCK_OFF = "clock_off_seconds"
_CLOCK_OFF = {"type": "integer", "description": "How early the token is; negative: how long ago it ended."}

REFUSALS = SHARED | {
    "UNAUTHORIZED": Refusal(
        "No token, or one that is malformed, expired, used before or made for another request; with the reason"
        " `credentials`, a wrong secret of the user whom the call is about; with `clock_off_seconds`, one for another"
        " time than that in the header `Pulse-Time`, by which its maker may try again.",
        "username or password is wrong",
        {"reason": "credentials"},
        {"reason": {"const": "credentials"}, CLOCK_OFF: _CLOCK_OFF},
    ),
    "RATE_LIMITED": Refusal(
        "Too many failed logins; `Retry-After` says when to try again.",
        "too many failed logins",
        {"retry_after_seconds": 30},
        {"retry_after_seconds": SECONDS},
        ("retry_after_seconds",),
    ),
    "DATABASE_ERROR": Refusal(
        "A statement that the database did not take; it was logged.", "the database refused this"
    ),
    "SERVICE_UNAVAILABLE": Refusal(
        "The database cannot be reached: what was asked may have been done. With `busy`, there are too many calls of"
        " this kind at once: nothing was done.",
        "the database cannot be reached",
        {"missing": ["postgres"]},
        {"missing": MISSING, "busy": BUSY, "retry_after_seconds": SECONDS},
    ),
}
