"""Find out from the broker what became of a slice, from its book or by looking it up, and never from anything else."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, clock, db
from pulse_core.batching import for_each
from pulse_core.brokers.port import ALREADY_THERE, BookUnavailable, Broker, BrokerOrder, Finder
from pulse_core.config import settings
from pulse_core.db import Fence
from pulse_core.failpoints import failpoint
from pulse_core.tasks import Task
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.reading import Book, begin_delays_anew, read_book
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.book.turns import turn
from pulse_core.trading.deadline import deadline
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.refused_accounts import note_refusal
from pulse_core.trading.slice.fills import settle_slices
from pulse_core.trading.slice.outcome import reschedule
from pulse_core.trading.store import absences, alarms, at_broker, events, placements, slices
from pulse_core.trading.store.absences import WATCH_EVERY, Look
from pulse_core.trading.tables import Order, OrderSlice
from pulse_core.trading.vocabulary import PlacementOutcome

LOOK_AGAIN_AFTER = timedelta(seconds=5)
ASK_SELDOM_EVERY = timedelta(minutes=5)
# The broker's clock may be ahead of ours: a reading that ends shortly before midnight may show the next day.
NEAR_MIDNIGHT = timedelta(minutes=1)
# Where a broker can be asked for single ids: for more of them its book is the shorter answer.
FEW = 8
# So many are looked at together.
LIMIT = 200

# Why an absence does not count, and when to look again.
Reason = tuple[AlarmCode, timedelta]


def resolve_slices(now: datetime, limit: int = LIMIT) -> int:
    """Look up UNKNOWN slices, each by itself or in the books of their accounts; returns how many were looked at.

    Raises BookUnavailable, after postponing the next look.
    """
    with db.transaction() as session:
        meant = at_broker.accounts_in_doubt(session)
    return brokers.for_each_account(
        Task.RESOLVE_SLICES,
        lambda broker: _resolve_all(broker, now, limit, among=len(meant)),
        lambda broker: broker.name in meant,
    )


def _resolve_all(broker: Broker, now: datetime, limit: int, among: int) -> int:
    """The same for one account. Whoever has the turn at its book resolves by it as well."""
    unknown = _in_doubt(broker, now, limit)
    if not unknown:
        return 0
    finder = _finder_of(broker, unknown)
    if finder is not None:
        for_each(unknown, lambda one: _find(broker, finder, one, now))
        return len(unknown)
    with turn(broker.name, among) as ours:
        return 0 if ours is None else _read_and_resolve(broker, unknown, now)


def _read_and_resolve(broker: Broker, unknown: Sequence[OrderSlice], now: datetime) -> int:
    try:
        book = read_book(broker, now)
    except BookUnavailable:
        with db.transaction() as session:
            # A broker that was away may still enter what it had taken before: the settle delay begins anew.
            at_broker.postpone_looks(session, [one.id for one in unknown], now + LOOK_AGAIN_AFTER, now)
        raise
    return _resolve_by(broker, unknown, book)


def resolving(broker: Broker, now: datetime) -> Callable[[Book], int]:
    """What to do with a book that is read after this, and not before: resolve by it what is in doubt and due now.

    Where the broker can be asked for ids, a few are left to that.
    """
    unknown = _in_doubt(broker, now, LIMIT)
    return partial(_resolve_by, broker, unknown if _finder_of(broker, unknown) is None else ())


def _finder_of(broker: Broker, unknown: Sequence[OrderSlice]) -> Finder | None:
    """What these are asked for by; None where the book tells."""
    return broker.finder if len(unknown) <= FEW else None


def _in_doubt(broker: Broker, now: datetime, limit: int) -> Sequence[OrderSlice]:
    """UNKNOWN slices of this account whose next look is due.

    While the database's clock is not steady, every settle delay begins anew: it would be measured by two clocks.
    """
    with db.transaction() as session:
        if clock.is_steady():
            return at_broker.to_resolve(session, broker.name, now, limit)
        at_broker.begin_delays_anew(session, broker.name, now)
        return ()


def _resolve_by(broker: Broker, unknown: Sequence[OrderSlice], book: Book) -> int:
    done = _note_absences(broker, unknown, book)
    for_each([one for one in unknown if one.id not in done], lambda one: _look_up(broker, one, book))
    return len(unknown)


def resolve_now(broker_account: str, one: OrderSlice, now: datetime) -> None:
    """Look up one UNKNOWN slice of this account, whenever its next look would be due. Raises BookUnavailable."""
    broker = brokers.connect(broker_account)
    if broker.finder is not None:
        _find(broker, broker.finder, one, now)
        return
    _look_up(broker, one, read_book(broker, now))


def _find(broker: Broker, finder: Finder, one: OrderSlice, now: datetime) -> None:
    """Ask the broker for the id of an attempt. Raises BookUnavailable, after postponing the next look."""
    try:
        row = finder.find(one.client_order_id or "")
        trades = broker.order_trades(row.broker_order_id) if row is not None and row.filled_quantity else ()
    except BookUnavailable as error:
        note_refusal(broker.name, error, now, is_read=True)
        begin_delays_anew(broker.name, now)
        with db.transaction() as session:
            at_broker.postpone_looks(session, [one.id], now + LOOK_AGAIN_AFTER, now)
        raise
    found = {} if row is None else {row.broker_order_id: row}
    shown = Shown(broker.name, found, dict.fromkeys(found, trades))
    look = Look(now, max(clock.utcnow(), now), finder.certain_after)
    with db.fence(one.id) as fence:
        if fence is not None:
            _resolve(fence, one, row, shown, look.ended_at, partial(_note_not_found, look=look))


def _note_not_found(session: Session, one: OrderSlice, look: Look) -> None:
    """Its id was in use nowhere, whenever it was asked for, for as long as its request could come in."""
    if one.error_code == ALREADY_THERE or settings().settle_delay == "never":
        _give_to_operators(session, one, AlarmCode.LEFT_TO_OPERATORS, WATCH_EVERY, look.ended_at)
    elif one.id in absences.note(session, [one], look).settled:
        _presume_absent(session, one, "the broker knows no order of its id", look.ended_at)


def _note_absences(broker: Broker, unknown: Sequence[OrderSlice], book: Book) -> set[str]:
    """Of nearly all slices there is no more to say at a look than that they are still absent: together, no fences."""
    lacking = [one for one in unknown if one.client_order_id not in book.by_client_order_id]
    by_reason: dict[Reason | None, list[OrderSlice]] = {}
    for one in lacking:
        by_reason.setdefault(_reason_not_to_count(broker, one, book), []).append(one)
    noted: set[str] = set()
    for reason, group in by_reason.items():
        with db.transaction() as session:
            if reason is None:
                noted |= absences.note(session, group, _look(book)).watched
            else:
                noted |= _put_off(session, group, reason, book)
    return noted


def _put_off(session: Session, group: Sequence[OrderSlice], reason: Reason, book: Book) -> set[str]:
    """Postpone the next look at those whose alarm was raised before; their ids."""
    code, look_again = reason
    about = events.raised_about(session, [one.id for one in group], code)
    told = {one.id for one in group if one.client_order_id in about}
    told -= alarms.over(session, code, told)
    at_broker.postpone_looks(session, sorted(told), book.ended_at + look_again, book.ended_at)
    return told


def _look(book: Book) -> Look:
    return Look(book.started_at, book.ended_at, timedelta(seconds=float(settings().settle_delay)))


def _look_up(broker: Broker, one: OrderSlice, book: Book) -> None:
    row = book.by_client_order_id.get(one.client_order_id or "")
    with db.fence(one.id) as fence:
        if fence is not None:
            _resolve(fence, one, row, book, book.ended_at, partial(_take_note_of_absence, broker=broker, book=book))


def _resolve(
    fence: Fence,
    seen: OrderSlice,
    row: BrokerOrder | None,
    shown: Shown,
    now: datetime,
    note_absence: Callable[[Session, OrderSlice], None],
) -> None:
    with fence.transaction() as session:
        order, one = slices.lock(session, seen.id)
        # The broker was asked for the attempt that was seen; of a later one it said nothing.
        if one.status is not SliceStatus.UNKNOWN or one.client_order_id != seen.client_order_id:
            return
        if row is None:
            note_absence(session, one)
        else:
            _take_over(session, order, one, row, now)
            settle_slices(session, [(one, row.broker_order_id)], shown, now)
        roll_up(session, order, now)
        failpoint("resolve.before_commit")
    failpoint("resolve.after_commit")


def _take_over(session: Session, order: Order, one: OrderSlice, row: BrokerOrder, now: datetime) -> None:
    placements.complete(session, one.client_order_id or "", PlacementOutcome.ACKNOWLEDGED, row.broker_order_id)
    found = {
        "broker_order_id": row.broker_order_id,
        "deadline_at": deadline(one.sent_at or now, order.slice_timeout_seconds),
    }
    slices.move(session, one, SliceStatus.WORKING, now, error_code=None, error_message=None, **found)


def _take_note_of_absence(session: Session, one: OrderSlice, broker: Broker, book: Book) -> None:
    """Absent all through the settle delay, in a whole book that was read throughout, is absent; once proves nothing."""
    reason = _reason_not_to_count(broker, one, book)
    if reason is not None:
        _give_to_operators(session, one, *reason, book.ended_at)
    elif one.id in absences.note(session, [one], _look(book)).settled:
        _presume_absent(session, one, "the broker's book shows no trace of it", book.ended_at)


def _presume_absent(session: Session, one: OrderSlice, why: str, now: datetime) -> None:
    placements.complete(session, one.client_order_id or "", PlacementOutcome.ABSENT)
    reschedule(session, one, now, "ABSENT", why)


def _reason_not_to_count(broker: Broker, one: OrderSlice, book: Book) -> Reason | None:
    """Why the book cannot tell for now, or never will; None where an absence counts."""
    if not _is_in_todays_book(broker, one, book):
        return AlarmCode.DAY_OVER, ASK_SELDOM_EVERY
    if not book.is_evidence:
        return AlarmCode.BOOK_PROVES_NOTHING, LOOK_AGAIN_AFTER
    if settings().settle_delay == "never" or one.error_code == ALREADY_THERE:
        return AlarmCode.LEFT_TO_OPERATORS, WATCH_EVERY
    return None


def _is_in_todays_book(broker: Broker, one: OrderSlice, book: Book) -> bool:
    """Whether the book that was read is, from start to end, the one in which this attempt would stand."""
    begins = max(book.since, broker.covers_since(book.ended_at + NEAR_MIDNIGHT))
    return min(one.sent_at or book.started_at, book.started_at) >= begins


def _give_to_operators(
    session: Session, one: OrderSlice, code: AlarmCode, look_again: timedelta, now: datetime
) -> None:
    """One alarm for the attempt, and no absence is counted."""
    client_order_id = one.client_order_id or ""
    is_told = events.was_raised(session, one.id, code, client_order_id=client_order_id)
    if not is_told or alarms.is_over(session, code, one.id):
        events.alarm(session, code, one.order_id, one.id, now, client_order_id=client_order_id)
    slices.change(session, one.id, now, absent_since=None, resolve_at=now + look_again)
