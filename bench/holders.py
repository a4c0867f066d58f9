"""Who listens while something is measured: a process of its own, which tells in the end what it has heard."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bench.children import ROOT, BenchError
from bench.heard import Heard

STREAMS, RECEIVER = "bench.stream_holder", "bench.webhook_receiver"
_READY = "open"
_LAST_WORDS_SECONDS = 20


class Holder:
    """A listener that is open."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask_what_it_heard(self) -> Heard:
        """End it."""
        told, _nothing = self._process.communicate(timeout=_LAST_WORDS_SECONDS)
        return Heard(**json.loads(told.splitlines()[-1]))


@contextmanager
def held(module: str, spec: Any) -> Iterator[Holder]:
    """The listener of a module, which gets its spec as a line of JSON and says when it is open."""
    with subprocess.Popen(
        [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(spec)) + "\n")
            process.stdin.flush()
            if process.stdout.readline().strip() != _READY:
                raise BenchError(f"{module} could not begin to listen")
            yield Holder(process)
        finally:
            process.kill()
