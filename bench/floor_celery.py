"""The floor of the slice rows: a Celery task that does nothing, with the product's settings, pool and timers.

The worker notes when each task started and writes it to FLOOR_SEEN: lines of `[reference, started]`, in seconds since
the epoch, where the reference is the instant that the task was sent or was due.
"""

import json
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_ready

from pulse_tasks.worker import PunctualTimers

_WRITE_EVERY_SECONDS = 0.1

app = Celery("floor")
app.config_from_object("celeryconfig")
app.conf.task_routes = {"floor.nothing": {"queue": "slices"}}
app.steps["worker"].add(PunctualTimers)

_seen: list[tuple[float, float]] = []


@app.task(name="floor.nothing")  # type: ignore[untyped-decorator]
def nothing(reference: float) -> None:
    """Do nothing."""
    _seen.append((reference, time.time()))


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def _begin_to_write(**_signal: Any) -> None:
    threading.Thread(target=_keep_writing, args=(os.environ["FLOOR_SEEN"],), daemon=True).start()


def _keep_writing(path: str) -> None:
    written = 0
    while True:
        time.sleep(_WRITE_EVERY_SECONDS)
        lines = [json.dumps(one) + "\n" for one in _seen[written:]]
        if lines:
            with open(path, "a") as file:
                file.writelines(lines)
            written += len(lines)
