"""JSON lines for machines, coloured lines on a terminal, and the ids that tie the lines of one request together."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from api_contract.imports import left_out

# It would load both into every process, wherever something else has had them installed.
with left_out("rich", "twisted"):
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger

TRACE_FIELDS = ("request_id", "trace_id", "traceparent")

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def setup_logging(service: str, log_format: str = "auto", level: str = "INFO") -> None:
    """Send every log record of this process to stderr, one line each, marked with `service`."""
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    tail: list[Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if is_console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared = (add_service, *_SHARED)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    _leave_out_what_no_line_shows()
    for chatty in ("urllib3", "werkzeug", "kombu", "celery.app.trace", "celery.worker.strategy", "celery.beat"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _leave_out_what_no_line_shows() -> None:
    """Where a record was made, as https://docs.python.org/3/howto/logging.html#optimization has it."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None


def keep_logs_off_stdout() -> None:
    """For a command whose stdout is data: what its services log goes to stderr, and only from a warning up."""
    if not structlog.is_configured():
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
            logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module; its lines carry the trace that is bound at the time."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def current_trace() -> dict[str, str]:
    """The bound ids of this request or task, to be handed on in a header or a message."""
    bound = structlog.contextvars.get_contextvars()
    return {name: bound[name] for name in TRACE_FIELDS if bound.get(name)}


@contextmanager
def bound_trace(fields: Mapping[str, str]) -> Iterator[None]:
    """Put these ids on every log line written inside."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield
