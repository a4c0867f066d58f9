"""A file that is touched while the process lives: to see that it does, nothing is started and nobody asked.

It tells nothing of the servers: a process that waits for them is well.
"""

import threading
import time
from functools import cache
from pathlib import Path

from api_contract.log import get_logger
from pulse_core.config import settings

PERIOD = 5.0

log = get_logger(__name__)


def keep_touched() -> None:
    """Touch the file of the settings from now on, if there is one; asked for again, nothing more happens."""
    if (path := settings().alive_file) is not None:
        _start(path)


@cache
def _start(path: Path) -> None:
    _touch(path)
    threading.Thread(target=_keep_touched, args=(path,), name="alive", daemon=True).start()


def _keep_touched(path: Path) -> None:
    while True:
        time.sleep(PERIOD)
        _touch(path)


def _touch(path: Path) -> None:
    try:
        path.touch()
    except OSError as error:
        log.debug("file of a living process not touched", path=str(path), reason=str(error))
