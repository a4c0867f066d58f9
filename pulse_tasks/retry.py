"""What an operator asks for by message: `celery -A pulse_tasks call pulse.retry_slice --args '["sl_..."]'`."""

from api_contract.errors import InvalidState, NotFound
from api_contract.log import get_logger
from pulse_core.clock import utcnow
from pulse_core.tasks import Task
from pulse_core.trading.slice import operations
from pulse_tasks import app
from pulse_tasks.base import PulseTask
from pulse_tasks.failures import RetryRefused

log = get_logger(__name__)


@app.task(base=PulseTask, name=Task.RETRY_SLICE.value)
def retry_slice(slice_id: str, actor: str = "celery call") -> None:
    """Put a failed or rejected slice back into the schedule."""
    try:
        operations.retry_slice(slice_id, actor, now=utcnow())
    except (NotFound, InvalidState) as error:
        log.warning("retry refused", slice_id=slice_id, actor=actor, reason=error.message)
        raise RetryRefused(error.message) from None
