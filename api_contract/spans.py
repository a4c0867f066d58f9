"""The steps of a trace, by W3C trace context (https://www.w3.org/TR/trace-context/): each has an id of its own.

Without more, a step is an id for headers and log lines. With the extra `otel` and PULSE_OTEL it goes to OpenTelemetry.
"""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol

from api_contract.log import bound_trace, current_trace

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# Whether a trace that begins here is recorded, nobody has decided.
_NOT_SAMPLED = "00"


class Kind(StrEnum):
    """Which side of a call or a message a step is; OpenTelemetry's words."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"


class Step(Protocol):
    """One step under way. `traceparent` names it to the next ones."""

    traceparent: str

    def rename(self, name: str) -> None:
        """Give it a better name, with few different values."""


class Recorder(Protocol):
    """What becomes of steps."""

    def step(self, name: str, kind: Kind, parent: str | None) -> AbstractContextManager[Step]:
        """One step below `parent`, a traceparent; it lasts as long as the block and failed if that raises."""


@contextmanager
def span(name: str, kind: Kind) -> Iterator[Step]:
    """A step below the one that is bound; headers, messages and log lines made inside carry its own id."""
    parent = current_trace().get("traceparent")
    with _recorder.step(name, kind, parent) as step, bound_trace({"traceparent": step.traceparent}):
        yield step


@contextmanager
def continued(trace: Mapping[str, str]) -> Iterator[None]:
    """Bind the ids of a trace; a step of the same trace that is under way stays the last one."""
    here, there = (trace_of(ids.get("traceparent")) for ids in (current_trace(), trace))
    ids = {name: value for name, value in trace.items() if name != "traceparent" or here is None or here != there}
    with bound_trace(ids):
        yield


def trace_of(traceparent: str | None) -> str | None:
    """The trace that a traceparent belongs to, 32 hexadecimal digits; None where there is none, or a broken one."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else None


def record_with(recorder: Recorder) -> None:
    """Let this recorder have the steps of this process from now on."""
    global _recorder
    _recorder = recorder


def export_spans(service: str, is_wanted: bool) -> None:
    """Send the steps of this process to OpenTelemetry if that is wanted. Exits with a sentence when it cannot be."""
    if not is_wanted:
        return
    try:
        from api_contract.otel import OpenTelemetry
    except ImportError:
        message = "PULSE_OTEL is set, and OpenTelemetry is not installed: pip install 'pulse-execution[otel]'"
        raise SystemExit(f"{service} cannot start: {message}") from None
    record_with(OpenTelemetry.exporting(service))


class _Plain:
    """An id, and nothing else."""

    @contextmanager
    def step(self, name: str, kind: Kind, parent: str | None) -> Iterator[Step]:
        yield _PlainStep(_below(parent))


class _PlainStep:
    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def rename(self, name: str) -> None:
        """Nobody sees its name."""


def _below(parent: str | None) -> str:
    # Never all zeros, which would be no id.
    own = f"{secrets.randbits(63) + 1:016x}"
    if parent is None or TRACEPARENT.fullmatch(parent) is None:
        return f"00-{secrets.randbits(127) + 1:032x}-{own}-{_NOT_SAMPLED}"
    version, trace, _parent, flags = parent.split("-")
    return f"{version}-{trace}-{own}-{flags}"


_recorder: Recorder = _Plain()
