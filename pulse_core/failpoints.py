"""Named points at which a test makes this process die or stop, to prove that nothing is lost or sent twice there.

`PULSE_FAILPOINT="execute.after_claim=kill:/tmp/marker"` sends SIGKILL (or `stop`: SIGSTOP) to this process the first
time it passes the point; the marker file keeps its successor from doing the same. Several are separated by commas.
Unset, a point costs one look into an empty dict, and with a broker other than the paper exchange it is ignored.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from pulse_core.config import settings
from pulse_core.log import get_logger

VARIABLE = "PULSE_FAILPOINT"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

log = get_logger(__name__)


def failpoint(name: str) -> None:
    """Do what a test wants to happen here."""
    action = armed().get(name)
    if action is not None:
        action()


@cache
def armed() -> dict[str, Callable[[], None]]:
    """The points that are switched on in this process."""
    stated = os.environ.get(VARIABLE)
    if not stated:
        return {}
    if settings().broker != "paper":
        log.warning("failpoints ignored: the broker is not the paper exchange", broker=settings().broker)
        return {}
    points = (one.partition("=") for one in stated.split(","))
    return {name: partial(_fire, *what.split(":", 1)) for name, _, what in points}


def _fire(action: str, marker: str) -> None:
    with suppress(FileExistsError):
        Path(marker).touch(exist_ok=False)
        # To this very thread: a signal to the process could reach another one, and this one would run on for a while.
        signal.pthread_kill(threading.get_ident(), _SIGNALS[action])
