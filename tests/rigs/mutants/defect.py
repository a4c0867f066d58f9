"""What a deliberate defect is: a change to the source, and the tests that must notice it."""

from dataclasses import dataclass

TRADING = "pulse_core/trading"
BOOK, SLICE, STORE = f"{TRADING}/book", f"{TRADING}/slice", f"{TRADING}/store"
ADVISORY = "pulse_core/postgres/advisory.py"
TESTS = "tests/integration"
WIRE = "tests/unit/test_zerodha_wire.py"
STATE_MACHINE = "tests/rigs/stateful/test_any_sequence.py::test_any_sequence_of_events_keeps_the_promises"


@dataclass(frozen=True)
class Change:
    """In one file, a text that must stand there exactly once, and what takes its place."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Defect:
    """What is wrong, how the source becomes so, and every test that is known to catch it."""

    what: str
    changes: tuple[Change, ...]
    caught_by: tuple[str, ...]
