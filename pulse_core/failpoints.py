"""Named points at which a test makes this process die or stop, to prove that nothing is lost or sent twice there.

`PULSE_FAILPOINT="execute.after_claim=kill:/tmp/marker"` sends SIGKILL (or `stop`: SIGSTOP) to this process the first
time it passes the point; the marker file keeps its successor from doing the same. Unset, a point costs one comparison.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed, _, _what = os.environ.get("PULSE_FAILPOINT", "").partition("=")


def failpoint(name: str) -> None:
    if name == _armed:
        _fire(*_what.split(":", 1))


def _fire(action: str, marker: str) -> None:
    with suppress(FileExistsError):
        Path(marker).touch(exist_ok=False)
        os.kill(os.getpid(), _SIGNALS[action])
