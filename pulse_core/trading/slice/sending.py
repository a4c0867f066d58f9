"""Send what was claimed, side by side: a slice that fails or hangs concerns itself alone."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import cache

from api_contract.spans import continued
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.boottime import boottime
from pulse_core.brokers.port import AlreadyThere, Broker, NotSent, OutcomeUnknown, Refused
from pulse_core.failpoints import failpoint
from pulse_core.sending_fence import SendingFence
from pulse_core.trading.exposure import exposure
from pulse_core.trading.slice import limited
from pulse_core.trading.slice.claiming import Claim
from pulse_core.trading.slice.outcome import AMENDED, HELD, Outcome
from pulse_core.trading.slice.places import Places, Reserved
from pulse_core.trading.store import claims
from pulse_core.trading.store.claims import LastLook
from pulse_core.trading.vocabulary import PlacementOutcome

# How long a batch waits for this process's turns, in seconds.
TURN_WAIT = 2.0
# Answers that come within so many seconds after the first one are recorded together with it.
GATHERING_SECONDS = 0.025
# After the last look a request leaves within so many seconds or not at all: whoever halts may count on it.
LOOK_LASTS = 0.9
# For each account as many as its adapter keeps connections. A slice by itself is sent by the thread that claimed it.
THREADS = 64


@dataclass(frozen=True)
class Answer:
    """How an attempt came out, or the defect because of which nobody knows."""

    claim: Claim
    outcome: Outcome | None
    error: Exception | None = None


def send_together(
    fence: SendingFence,
    claimed: Sequence[Claim],
    broker: Broker,
    reserved: Reserved,
    take: Callable[[Sequence[Answer]], None],
) -> None:
    """Send each slice unless something speaks against it, and hand the answers to `take` as they come.

    Returns when nothing is on its way any more. Raises DatabaseUnavailable, with nothing sent.
    """
    stopped = _passing_limits(claimed, broker)
    stopped |= _wait_for_turns([one for one in claimed if one.slice_id not in stopped], broker)
    failpoint("execute.after_turn")
    leaves_by = boottime() + LOOK_LASTS
    stopped |= _look(fence, [one for one in claimed if one.slice_id not in stopped])
    going = [replace(one, not_after=min(one.not_after, leaves_by)) for one in claimed if one.slice_id not in stopped]
    if len(claimed) == len(going) == 1:
        take([_answer(going[0], broker)])
        return
    with _under_way(going, broker, reserved) as under_way:
        if stopped:
            take([Answer(one, stopped[one.slice_id]) for one in claimed if one.slice_id in stopped])
        for answers in _as_they_come(under_way):
            take(answers)


@cache
def senders_of(_broker_account: str) -> Executor:
    """The threads of this process in which an account's slices of batches are sent: no other's wait behind them."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="sender")


@cache
def places_of(_broker_account: str) -> Places:
    """How many of them are free."""
    return Places(THREADS)


# A forked child has none of them.
os.register_at_fork(after_in_child=senders_of.cache_clear)
os.register_at_fork(after_in_child=places_of.cache_clear)


def _passing_limits(claimed: Sequence[Claim], broker: Broker) -> dict[str, Outcome]:
    """Those that would pass a limit of their account."""
    found = limited.stopped(claimed, broker.name)
    return {slice_id: _not_sent(NotSent(limited.LIMIT, why)) for slice_id, why in found.items()}


def _wait_for_turns(claimed: Sequence[Claim], broker: Broker) -> dict[str, Outcome]:
    """Those that cannot be sent, by what was seen with the claim or because this process has no room for them."""
    stopped: dict[str, Outcome] = {}
    ends_at = boottime() + TURN_WAIT
    for one in claimed:
        try:
            _check_room(one)
            broker.wait_for_turn(max(ends_at - boottime(), 0.0))
        except NotSent as error:
            stopped[one.slice_id] = _not_sent(error)
    return stopped


def _check_room(claim: Claim) -> None:
    """Seen with the claim, before a turn of the broker's rate is spent on what cannot be sent."""
    if claim.claimed.exposed > claim.claimed.total_quantity:
        raise NotSent("OVER_QUANTITY", "sending it could exceed the order's quantity")


def _look(fence: SendingFence, claimed: Sequence[Claim]) -> dict[str, Outcome]:
    """The last look before the wire: a lost fence, a cancelled order, a full one or an earlier attempt stops it."""
    if not claimed:
        return {}
    with fence.statement() as connection:
        looks = claims.last_look(connection, [one.claimed for one in claimed])
    stopped: dict[str, Outcome] = {}
    for one in claimed:
        try:
            _check_may_send(looks.get(one.slice_id), one)
        except NotSent as error:
            stopped[one.slice_id] = _not_sent(error)
    return stopped


def _check_may_send(look: LastLook | None, claim: Claim) -> None:
    if look is None or not _is_claimed(look, claim):
        raise NotSent("CLAIM_LOST", "the claim on the slice was lost")
    if look.order_status is not OrderStatus.IN_PROGRESS:
        raise NotSent("ORDER_NOT_RUNNING", f"the order is {look.order_status}")
    if look.limit_price != claim.claimed.limit_price:
        raise NotSent(AMENDED, "the order was amended when it was claimed")
    if look.held is not None:
        raise NotSent(HELD, f"nothing is sent while it is held: {look.held}")
    if look.has_live_duplicate:
        raise NotSent("EARLIER_ATTEMPT_LIVE", "an earlier attempt of the slice may be live at the broker")
    if look.lacking < claim.claimed.quantity:
        raise NotSent("QUANTITY_CHANGED", f"late fills of an earlier attempt left {look.lacking} to send")
    if exposure(look.totals).total > look.total_quantity:
        raise NotSent("OVER_QUANTITY", "sending it could exceed the order's quantity")


def _is_claimed(look: LastLook, claim: Claim) -> bool:
    is_sending = look.slice_status is SliceStatus.SENDING
    return is_sending and look.client_order_id == claim.claimed.client_order_id


def _not_sent(error: NotSent) -> Outcome:
    return Outcome(PlacementOutcome.NOT_SENT, None, error.code, error.message)


def _answer(claim: Claim, broker: Broker) -> Answer:
    with continued(claim.claimed.trace):
        try:
            return Answer(claim, _place(claim, broker))
        except Exception as error:
            return Answer(claim, None, error)


def _place(claim: Claim, broker: Broker) -> Outcome:
    failpoint("execute.before_send")
    sent_at = claim.now()
    try:
        broker_order_id = broker.place(claim.placement, claim.not_after)
    except Refused as error:
        return Outcome(PlacementOutcome.REFUSED, None, error.code, error.message, sent_at, error.scope)
    except NotSent as error:
        return _not_sent(error)
    except AlreadyThere as error:
        # It was placed; which order it is, the broker may have to be asked.
        if error.broker_order_id is None:
            return Outcome(PlacementOutcome.UNKNOWN, None, error.code, error.message, sent_at)
        return Outcome(PlacementOutcome.ACKNOWLEDGED, error.broker_order_id, sent_at=sent_at)
    except OutcomeUnknown as error:
        return Outcome(PlacementOutcome.UNKNOWN, None, error.code, error.message, sent_at)
    return Outcome(PlacementOutcome.ACKNOWLEDGED, broker_order_id, sent_at=sent_at)


@contextmanager
def _under_way(claimed: Sequence[Claim], broker: Broker, reserved: Reserved) -> Iterator[Sequence[Future[Answer]]]:
    under_way: list[Future[Answer]] = []
    try:
        for one in claimed:
            # In the trace of the task, where all of its slices are of one.
            under_way.append(senders_of(broker.name).submit(copy_context().run, _answer, one, broker))
            reserved.hand_to(under_way[-1])
        yield under_way
    finally:
        # However this ends: whoever lets go of the fence has nothing on the wire.
        wait([one for one in under_way if not one.cancel()])


def _as_they_come(under_way: Sequence[Future[Answer]]) -> Iterator[Sequence[Answer]]:
    while under_way:
        wait(under_way, return_when=FIRST_COMPLETED)
        done, _ = wait(under_way, timeout=GATHERING_SECONDS)
        yield [one.result() for one in under_way if one in done]
        under_way = [one for one in under_way if one not in done]
