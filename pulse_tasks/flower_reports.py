"""Flower says every few seconds that it lives: by a message to a worker, as it reaches no database."""

import atexit
import os
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from celery import Celery

from api_contract.log import get_logger
from pulse_core.config import queue_settings
from pulse_core.health.settings_digest import digest
from pulse_core.queue_away import UNREACHABLE
from pulse_core.tasks import Task

PERIOD_SECONDS = 5.0

log = get_logger(__name__)


def start(app: Celery) -> None:
    """Report this process from now on, and its end."""
    who = {
        "process_id": secrets.token_hex(16),
        "host": socket.gethostname()[:255],
        "pid": os.getpid(),
        "version": version("pulse-execution"),
        "settings_digest": digest(queue_settings()),
    }
    threading.Thread(target=_run, args=(app, who), name="reporter", daemon=True).start()
    atexit.register(partial(_say, app, {**who, "has_ended": True}))


def _run(app: Celery, who: Mapping[str, Any]) -> None:
    while True:
        _say(app, who)
        time.sleep(PERIOD_SECONDS)


def _say(app: Celery, said: Mapping[str, Any]) -> None:
    try:
        app.send_task(Task.REPORT_PROCESS.value, kwargs={**said, "told_at_ms": round(time.time() * 1000)}, retry=False)
    except UNREACHABLE as away:
        log.debug("sign of life not sent", reason=str(away))
