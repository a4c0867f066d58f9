"""One request, one answer: who comes again with the key of a request is given what its first call was answered.

The answer is kept after the work has been committed, in a transaction of its own. What crashes in between leaves a key
without an answer. When its lease is over, a repeat does the work again where twice is like once, and elsewhere is
told that nobody knows.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from api_contract.errors import IdempotencyKeyInUse, IdempotencyKeyReused, IdempotencyOutcomeUnknown
from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import db
from pulse_core.copies import copy_of
from pulse_core.errors import DatabaseUnavailable
from pulse_core.idempotency.store import keys
from pulse_core.idempotency.store.keys import Asked

KEPT = timedelta(hours=24)
# Longer than any call of pulse takes.
LEASE = timedelta(seconds=30)
RETRY_SECONDS = 1
FORGOTTEN_AT_ONCE = 1000

log = get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP; `location` is its header."""

    status: int
    body: str
    location: str | None


@dataclass(frozen=True)
class Call:
    """A call that has its key to itself. It ends with `remember` or `release`; else its lease runs out."""

    account_id: str
    key: str
    request_hash: str
    holder: str


def begin(account_id: str, key: str, request_hash: str, *, is_done_again: bool) -> Call | Answer:
    """Take a key for a call, or find what its first call was answered.

    Raises IdempotencyKeyReused for another request, IdempotencyKeyInUse while the first call is under way, and
    IdempotencyOutcomeUnknown when that broke off and must not be done again; DatabaseUnavailable.
    """
    call = Call(account_id, key, request_hash, uuid4().hex)
    asked = copy_of(call, Asked)
    while True:
        with db.transaction() as session:
            if keys.take(session, asked, LEASE, KEPT, is_done_again=is_done_again):
                return call
            known = keys.known(session, asked)
        # None: it was forgotten since, and can be taken.
        if known is not None:
            return _first_answer(known, request_hash)


def remember(call: Call, answer: Answer) -> None:
    """Keep the answer for those who come again. It is given to this caller in any case: what was done is done."""
    try:
        with db.transaction() as session:
            keys.remember(session, copy_of(call, Asked), copy_of(answer, keys.Answer))
    except DatabaseUnavailable as away:
        troubles.warn(log, away.message, "answer not kept", reason=away.message)


def release(call: Call) -> None:
    """Let the key be used again at once: nothing was done."""
    try:
        with db.transaction() as session:
            keys.release(session, copy_of(call, Asked))
    except DatabaseUnavailable as away:
        troubles.warn(log, away.message, "key not released", reason=away.message)


def forget_answers(now: datetime) -> int:
    """Remove keys that were kept for a day."""
    with db.transaction() as session:
        return keys.forget(session, now - KEPT, FORGOTTEN_AT_ONCE)


def _first_answer(known: keys.Known, request_hash: str) -> Answer:
    if known.request_hash != request_hash:
        raise IdempotencyKeyReused("Idempotency-Key was used before for another request")
    if known.answer is not None:
        return copy_of(known.answer, Answer)
    if known.is_under_way:
        raise IdempotencyKeyInUse("the first call with this Idempotency-Key is still under way", RETRY_SECONDS)
    raise IdempotencyOutcomeUnknown("the first call with this Idempotency-Key broke off, and may have been done")
