"""Place slices at their time."""

from api_contract.vocabulary import SliceStatus
from pulse_core.tasks import Task
from pulse_core.trading.slice import execute
from pulse_core.trading.slice.execute import Attempted
from pulse_core.trading.slice.refusals import refusal_of
from pulse_tasks import app
from pulse_tasks.base import PulseTask
from pulse_tasks.failures import SliceFailed, SliceInDoubt, SliceNotSent, SliceRejected, SliceSkipped

FAILURES = {
    SliceStatus.REJECTED: SliceRejected,
    SliceStatus.FAILED: SliceFailed,
    SliceStatus.UNKNOWN: SliceInDoubt,
    SliceStatus.SKIPPED: SliceSkipped,
}


@app.task(base=PulseTask, name=Task.EXECUTE_SLICE.value)
def execute_slice(slice_id: str) -> str:
    """Place one due slice with its broker."""
    attempted = execute.execute_slice(slice_id)
    if attempted is not None:
        return _told(attempted)
    if words := refusal_of(slice_id):
        raise SliceRejected(words)
    return "nothing to send"


def _told(attempted: Attempted) -> str:
    """The broker's order id; raises what the slice's status comes to where there is none."""
    outcome = attempted.outcome
    if outcome.broker_order_id is not None:
        return f"placed as {outcome.broker_order_id}"
    words = ": ".join(filter(None, (outcome.code, outcome.message)))
    if attempted.status is SliceStatus.SCHEDULED:
        raise SliceNotSent(words)
    if failure := FAILURES.get(attempted.status):
        raise failure(words)
    return f"{words}; the slice is {attempted.status}"
