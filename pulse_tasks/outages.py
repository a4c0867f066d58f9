"""What Celery says of a queue that is away: one line a minute, without the stack of a client that tries again."""

import logging

from celery.exceptions import CPendingDeprecationWarning

from api_contract.troubles import troubles
from pulse_core.queue_away import AWAY, UNREACHABLE


def quiet(handler: logging.Handler) -> None:
    """Let this handler write such a line once a minute."""
    handler.addFilter(_said_once)


def _said_once(record: logging.LogRecord) -> bool:
    if record.name == "celery.app.trace" and record.exc_info:
        # The task itself has said it.
        return False
    if record.name == "py.warnings" and CPendingDeprecationWarning.__name__ in record.getMessage():
        # It repeats a setting that is chosen.
        return False
    error = _outage_in(record)
    if error is None:
        return True
    if (unsaid := troubles.meet(AWAY)) is None:
        return False
    record.msg, record.args = f"{AWAY}: %s", (error,)
    record.exc_info = record.exc_text = None
    record.levelno, record.levelname = logging.WARNING, "WARNING"
    if unsaid:
        record.msg += f" (met {unsaid} times since it was said last)"
    return True


def _outage_in(record: logging.LogRecord) -> BaseException | None:
    """What kept a client of the queue from it, in a line that is not our own."""
    if not record.name.startswith(("celery", "kombu", "redis", "amqp")):
        return None
    arguments = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    return next((one for one in (raised, *arguments) if isinstance(one, UNREACHABLE)), None)
