"""Named points at which a test makes this process die or stop, to prove that nothing is lost or sent twice there.

With PULSE_FAILPOINT=/some/folder, a process that passes the point `execute.after_claim` looks for a file of that name
in there. It removes the file, and does to itself what the file says: `kill` (SIGKILL) or `stop` (SIGSTOP). So each file
strikes once, whichever process comes first. Unset, a point costs one look into an empty dict, and with a broker other
than the paper exchange the variable is ignored.
"""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from api_contract.log import get_logger
from pulse_core.config import settings

VARIABLE = "PULSE_FAILPOINT"
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}

# What a test wants to happen at a point within its own process.
actions: dict[str, Callable[[], None]] = {}

log = get_logger(__name__)


def failpoint(name: str) -> None:
    """Do what a test wants to happen here."""
    if name in actions:
        actions[name]()
    folder = _folder()
    if folder is not None:
        _strike(folder / name)


@cache
def _folder() -> Path | None:
    stated = os.environ.get(VARIABLE)
    if not stated:
        return None
    if settings().broker != "paper":
        log.warning("failpoints ignored: the broker is not the paper exchange", broker=settings().broker)
        return None
    return Path(stated)


def _strike(order: Path) -> None:
    with suppress(FileNotFoundError):
        action = _SIGNALS[order.read_text()]
        order.unlink()
        # To this very thread: a signal to the process could reach another one, and this one would run on for a while.
        signal.pthread_kill(threading.get_ident(), action)
