"""Halts, as the public API answers them."""

from collections.abc import Mapping
from datetime import datetime

from pulse_client.reading import Answer
from pulse_client.vocabulary import HaltedState, HaltedWorking, HaltStatus


class HaltedShare(Answer):
    """Slices in one state: how many, what they lack, and what was filled of them since the halt began."""

    count: int
    leaves_quantity: int
    filled_meanwhile: int


class Halt(Answer):
    """A halt with its receipt, as it stands. `quiet_after_ms`: until nothing of it was at the broker."""

    halt_id: str
    account_id: str | None
    account_name: str | None
    broker_account: str | None
    instrument: str | None
    working: HaltedWorking
    reason: str
    status: HaltStatus
    made_by: str
    made_by_name: str
    made_at: datetime
    release_asked_by: str | None
    release_asked_at: datetime | None
    released_at: datetime | None
    is_quiet: bool
    quiet_at: datetime | None
    quiet_after_ms: int | None
    slices: Mapping[HaltedState, HaltedShare]


class HaltPage(Answer):
    """Halts, the latest first; `next_cursor` is None on the last page."""

    halts: list[Halt]
    next_cursor: str | None


class HaltedSlice(Answer):
    """A slice that a halt covers, by its attempt if it has one."""

    slice_id: str
    order_id: str
    account_id: str
    sequence_number: int
    instrument: str
    state: HaltedState
    quantity: int
    filled_quantity: int
    filled_meanwhile: int
    broker_order_id: str | None


class HaltedSlicePage(Answer):
    """Slices of a receipt; `next_cursor` is None on the last page."""

    slices: list[HaltedSlice]
    next_cursor: str | None
