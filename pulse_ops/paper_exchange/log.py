"""The exchange's log: lines on stderr, JSON for machines or coloured for a terminal."""

import sys

import structlog


def setup_logging(log_format: str) -> None:
    """Log as `auto` (coloured on a terminal, JSON elsewhere), `json` or `console`."""
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    tail = [structlog.dev.ConsoleRenderer()] if is_console else [structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if is_console else [structlog.processors.format_exc_info]),
            *tail,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def service_log() -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry the name of the service."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger(service="paper-exchange")
    return log
