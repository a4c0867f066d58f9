"""Each process of the gateway says every few seconds, in every cell, that it lives: it reaches no database.

Nothing waits for it, and a pulse that does not take it changes nothing.
"""

import os
import secrets
import socket
from collections.abc import Mapping
from importlib.metadata import version
from multiprocessing.util import Finalize
from threading import Event, Thread
from typing import Any

import structlog

from api_contract.errors import PulseError
from api_contract.scopes import GATEWAY
from api_contract.settings_digest import digest
from gapi_app.cells.directory import Cell
from gapi_app.cells.link import Call
from gapi_app.cells.routing import Router
from gapi_app.config import Settings

PERIOD_SECONDS = 5.0
# A process that ends is not held up by a pulse that hangs.
LAST_PATIENCE_SECONDS = 0.5
# Processes of one server have it in common, servers of one gateway have not.
OF_ONE_PROCESS = frozenset({"pulse_metrics_port"})

log = structlog.get_logger(__name__)


class Reporter:
    """Reports one process to one cell."""

    def __init__(self, router: Router, cell: Cell, who: Mapping[str, Any]) -> None:
        self._router = router
        self._cell = cell
        self._who = who
        self._ending = Event()

    def run(self) -> None:
        """Report until the process ends."""
        self.report()
        while not self._ending.wait(PERIOD_SECONDS):
            self.report()

    def report(self) -> None:
        """Say that the process lives."""
        ahead = self._router.clock_ahead(self._cell)
        self._say({"clock_ahead_ms": None if ahead is None else round(ahead * 1000)})

    def end(self) -> None:
        """Say that the process ends as it should."""
        self._ending.set()
        self._say({"has_ended": True}, LAST_PATIENCE_SECONDS)

    def _say(self, how: Mapping[str, Any], patience_seconds: float | None = None) -> None:
        said = {**self._who, **how}
        call = Call("POST", "/internal/processes", GATEWAY, {204}, said, patience_seconds)
        try:
            self._router.ask_in(self._cell, call)
        except PulseError as refused:
            # One that is older than this gateway knows no such page.
            log.debug("sign of life not taken", cell=self._cell.name, reason=str(refused))


def start(router: Router, settings: Settings) -> None:
    """Report this process from now on, to each cell by itself: one that hangs holds up no other."""
    who = {
        "process_id": secrets.token_hex(16),
        "host": socket.gethostname()[:255],
        "pid": os.getpid(),
        "version": version("pulse-execution"),
        "settings_digest": digest(settings, OF_ONE_PROCESS),
    }
    for cell in router.cells:
        reporter = Reporter(router, cell, who)
        Thread(target=reporter.run, name="reporter", daemon=True).start()
        # Granian's workers end without what `atexit` knows.
        Finalize(None, reporter.end, exitpriority=100)
