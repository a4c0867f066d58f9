"""What every task does around its one service call: bind the trace, and say on one line what went wrong."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from celery import Task
from celery.exceptions import Retry

from api_contract.log import TRACE_FIELDS, bound_trace, get_logger
from api_contract.spans import Kind, span
from api_contract.troubles import troubles
from pulse_core import queue_away
from pulse_core.brokers.port import BookUnavailable
from pulse_core.errors import DatabaseUnavailable
from pulse_core.queue_away import UNREACHABLE
from pulse_tasks.failures import PutOff, TaskFailure

log = get_logger(__name__)

# Something of the outside is away: a sweep repeats the work, so there is nothing to retry here.
AWAY = (DatabaseUnavailable, BookUnavailable, *UNREACHABLE)


def put_off(error: Exception, event: str, **fields: Any) -> None:
    """Say, once a minute for each trouble, that something of the outside is away."""
    trouble = queue_away.AWAY if isinstance(error, UNREACHABLE) else str(error)
    troubles.warn(log, trouble, event, **fields, reason=str(error))


class PulseTask(Task):  # type: ignore[misc]
    """A task that may run twice, late or never without harm."""

    abstract = True
    Request = "pulse_tasks.request:TimedRequest"
    # Celery logs these without a stack trace.
    throws = (TaskFailure,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        headers = self.request.headers or {}
        with _traced({name: headers[name] for name in TRACE_FIELDS if headers.get(name)}, self.name):
            try:
                return self.run(*args, **kwargs)
            except AWAY as error:
                put_off(error, "task put off", task=self.name, args=args)
                raise PutOff(str(error)) from None
            except (TaskFailure, Retry):
                raise
            except Exception as error:
                if troubles.meet(f"{self.name}{args} {error!r}") is not None:
                    log.exception("task failed", task=self.name, args=args)
                raise


@contextmanager
def _traced(ids: Mapping[str, str], task: str) -> Iterator[None]:
    """A step of the trace that sent the message; a sweep belongs to none."""
    with bound_trace(ids), span(task, Kind.CONSUMER) if "traceparent" in ids else nullcontext():
        yield
