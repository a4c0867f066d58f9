"""A broken promise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """What was promised, of which order and slice, and what was found instead."""

    promise: str
    order_id: str | None
    slice_id: str | None
    expected: str
    found: str
