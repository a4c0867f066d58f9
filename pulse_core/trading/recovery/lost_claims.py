"""Find in the broker's book the attempts that the database has lost with its last commits, and record them again.

The id of an attempt follows from its slice and its number: what goes out next has the very id of what was lost.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.brokers.port import Broker, BrokerOrder
from pulse_core.config import settings
from pulse_core.trading import client_order_ids
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.adopt import point_at
from pulse_core.trading.book.reading import BOOK_KEPT, Book, read_book
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.store import events, installation, lost_claims, slices
from pulse_core.trading.tables import Order, OrderSlice

# How many attempts of one slice may have been lost. Those that were not placed are in no book.
AHEAD = 20
# One that is about to be sent may have been sent in what was forgotten.
SOON = timedelta(seconds=5)
_OUR_TAG = re.compile(r"[A-Z0-9]{20}")


@dataclass(frozen=True, order=True)
class LostClaim:
    """An attempt that the book shows and the database does not know."""

    slice_id: str
    attempt: int
    broker_order_id: str


@dataclass(frozen=True)
class Findings:
    """What one reading of the book says about a database that may have forgotten something.

    `recorded` claims are known again, those `pending` belong to slices that a worker holds. `unexplained` are orders
    with a tag of this installation that fits no slice: the database has forgotten whole orders. `foreign` tags look
    like ours and are of another installation, or of a time before tags said whose they are.
    """

    book: Book
    recorded: Sequence[LostClaim]
    pending: Sequence[LostClaim]
    unexplained: Sequence[BrokerOrder]
    foreign: Sequence[BrokerOrder]

    @property
    def is_conclusive(self) -> bool:
        """Whether no slice of which the book shows the next attempt can be sent any more."""
        return self.book.is_evidence and not self.pending


def find_lost_claims(broker: Broker, now: datetime) -> Findings:
    """Read an account's book and record every attempt in it that a slice must have lost. Raises BookUnavailable."""
    book = read_book(broker, now, is_checked=True)
    unknown = _unknown(book)
    mark = client_order_ids.installation_mark(installation.client_order_id_key())
    ours = {tag: row for tag, row in unknown.items() if tag.startswith(mark)}
    claims = _lost_claims(book, ours)
    recorded, pending = _record_all(book, claims)
    explained = {one.broker_order_id for one in claims}
    return Findings(
        book=book,
        recorded=recorded,
        pending=pending,
        unexplained=[row for row in ours.values() if row.broker_order_id not in explained],
        foreign=[row for tag, row in unknown.items() if tag not in ours],
    )


def first_attempts(slice_ids: Iterable[str]) -> Iterator[str]:
    """The client order ids of the first attempts of these slices."""
    key = installation.client_order_id_key()
    for slice_id in slice_ids:
        for attempt in range(1, AHEAD + 1):
            yield client_order_ids.client_order_id(key, slice_id, attempt)


def _unknown(book: Book) -> dict[str, BrokerOrder]:
    rows = {tag: row for tag, row in book.by_client_order_id.items() if _OUR_TAG.fullmatch(tag)}
    with db.transaction() as session:
        known = lost_claims.known(session, list(rows))
    return {tag: row for tag, row in rows.items() if tag not in known}


def _lost_claims(book: Book, unknown: Mapping[str, BrokerOrder]) -> list[LostClaim]:
    if not unknown:
        return []
    since = book.started_at - BOOK_KEPT - timedelta(seconds=settings().late_grace)
    with db.transaction() as session:
        made = lost_claims.attempts_made(session, book.broker_account, since, until=book.ended_at + SOON)
    key, missing, found = installation.client_order_id_key(), set(unknown), []
    # The next attempts of all slices before the ones after those: nearly every lost claim is a next one.
    for step in range(1, AHEAD + 1):
        for slice_id, attempts in made if missing else ():
            tag = client_order_ids.client_order_id(key, slice_id, attempts + step)
            if tag in missing:
                missing.discard(tag)
                found.append(LostClaim(slice_id, attempts + step, unknown[tag].broker_order_id))
    return sorted(found)


def _record_all(book: Book, claims: Iterable[LostClaim]) -> tuple[list[LostClaim], list[LostClaim]]:
    recorded: list[LostClaim] = []
    pending: list[LostClaim] = []
    for slice_id, of_slice in groupby(claims, lambda one: one.slice_id):
        together = list(of_slice)
        (recorded if _record(slice_id, together, book) else pending).extend(together)
    return recorded, pending


def _record(slice_id: str, claims: Sequence[LostClaim], book: Book) -> bool:
    """False when a worker holds the slice: it may be about to make the very attempt."""
    with db.fence(slice_id) as fence:
        if fence is None:
            return False
        with fence.transaction() as session:
            order, one = slices.lock(session, slice_id)
            _write(session, order, one, claims, book)
            roll_up(session, order, book.ended_at)
    return True


def _write(session: Session, order: Order, one: OrderSlice, claims: Sequence[LostClaim], book: Book) -> None:
    """Record the attempts up to the last one found, and let the book decide about a slice that waits to be sent.

    The fills of any other slice are booked all the same, and a live order that it does not work is called back.
    """
    found, key = {claim.attempt: claim.broker_order_id for claim in claims}, installation.client_order_id_key()
    for attempt in range(one.attempts + 1, max(found) + 1):
        tag, broker_order_id = client_order_ids.client_order_id(key, one.id, attempt), found.get(attempt)
        row = book.by_broker_order_id.get(broker_order_id or "")
        quantity = row.quantity if row else one.quantity
        placed = lost_claims.record(
            session, tag, one.id, attempt, quantity, book.broker_account, broker_order_id, book.started_at
        )
        slices.change(session, one.id, book.ended_at, attempts=attempt)
        about = {"attempt": attempt, "client_order_id": tag, "broker_order_id": broker_order_id}
        events.alarm(session, AlarmCode.LOST_CLAIM, order.id, one.id, book.ended_at, **about)
        if row is not None and one.status is SliceStatus.SCHEDULED:
            point_at(session, one.id, placed, book.ended_at)
