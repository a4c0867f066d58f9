"""Place slices at their time."""

from collections.abc import Mapping

from api_contract.vocabulary import SliceStatus
from pulse_core.tasks import Task
from pulse_core.trading.slice import execute
from pulse_core.trading.slice.recording import Attempted
from pulse_core.trading.slice.refusals import refusals_of
from pulse_tasks import app
from pulse_tasks.base import AWAY, PulseTask
from pulse_tasks.failures import (
    PutOff,
    SliceFailed,
    SliceInDoubt,
    SliceNotSent,
    SliceRejected,
    SlicesFailed,
    SliceSkipped,
)

NOTHING = "nothing to send"
FAILURES = {
    SliceStatus.SCHEDULED: SliceNotSent,
    SliceStatus.REJECTED: SliceRejected,
    SliceStatus.FAILED: SliceFailed,
    SliceStatus.UNKNOWN: SliceInDoubt,
    SliceStatus.SKIPPED: SliceSkipped,
}
OURS = (PutOff, *FAILURES.values())


@app.task(base=PulseTask, name=Task.EXECUTE_SLICE.value)
def execute_slice(*slice_ids: str) -> str:
    """Place due slices with their broker: a lone one, or a batch that is due together."""
    attempts = execute.execute_slices(slice_ids)
    untouched = [one for one in slice_ids if one not in attempts.made and one not in attempts.failed]
    refused = refusals_of(untouched) if untouched else {}
    failures: dict[str, Exception] = {slice_id: SliceRejected(words) for slice_id, words in refused.items()}
    failures |= {slice_id: _put_off(error) for slice_id, error in attempts.failed.items()}
    failures |= {slice_id: bad for slice_id, made in attempts.made.items() if (bad := _failure(made))}
    if failures:
        raise _joined(failures, len(slice_ids) > 1)
    placed = {one: _told(attempts.made[one]) for one in slice_ids if one in attempts.made}
    if len(slice_ids) == 1:
        return placed.get(slice_ids[0], NOTHING)
    return "; ".join(f"{slice_id} {told}" for slice_id, told in placed.items()) or NOTHING


def _put_off(error: Exception) -> Exception:
    return PutOff(str(error)) if isinstance(error, AWAY) else error


def _failure(attempted: Attempted) -> Exception | None:
    """What the slice's status comes to where it has no order at the broker."""
    failure = FAILURES.get(attempted.status)
    if attempted.outcome.broker_order_id is not None or failure is None:
        return None
    return failure(_words(attempted))


def _told(attempted: Attempted) -> str:
    if attempted.outcome.broker_order_id is not None:
        return f"placed as {attempted.outcome.broker_order_id}"
    return f"{_words(attempted)}; the slice is {attempted.status}"


def _words(attempted: Attempted) -> str:
    return ": ".join(filter(None, (attempted.outcome.code, attempted.outcome.message)))


def _joined(failures: Mapping[str, Exception], is_batch: bool) -> Exception:
    """One failure that names each slice of a batch with what became of it; that of a lone one as it is."""
    if not is_batch:
        return next(iter(failures.values()))
    kinds = {type(one) for one in failures.values()}
    kind = kinds.pop()
    if not kinds and kind in OURS:
        return kind("; ".join(f"{slice_id}: {one}" for slice_id, one in failures.items()))
    return SlicesFailed("; ".join(f"{slice_id}: {type(one).__name__}: {one}" for slice_id, one in failures.items()))
