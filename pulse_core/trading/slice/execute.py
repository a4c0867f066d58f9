"""Place slices that are due together with their broker, each once: claim, fence, last check, send, record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import brokers, db
from pulse_core.brokers.port import Broker
from pulse_core.clock import is_steady
from pulse_core.errors import DatabaseUnavailable
from pulse_core.failpoints import failpoint
from pulse_core.sending_fence import SendingFence, fence_together
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.replan_orders import replan_of_slices
from pulse_core.trading.slice.claiming import Claims, Clock, claim_together
from pulse_core.trading.slice.places import Reserved
from pulse_core.trading.slice.put_off import put_off
from pulse_core.trading.slice.recording import Attempted, Recorder
from pulse_core.trading.slice.sending import places_of, send_together
from pulse_core.trading.slice.shares import shares
from pulse_core.trading.slice.skipping import skip_over
from pulse_core.trading.store import slices

log = get_logger(__name__)


@dataclass(frozen=True)
class Attempts:
    """What was attempted, by slice; of slices that `failed` nobody knows what became, and the sweeps find out."""

    made: dict[str, Attempted] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)

    def check(self) -> None:
        """Raise the error of a slice, if there is one: a defect rather than that something is away."""
        errors = sorted(self.failed.values(), key=lambda one: isinstance(one, DatabaseUnavailable))
        if errors:
            raise errors[0]


def execute_slice(slice_id: str, clock: Clock | None = None) -> Attempted | None:
    """Place one due slice; None when nothing was to be sent. Raises what `execute_slices` tells of it, too."""
    attempts = execute_slices([slice_id], clock)
    attempts.check()
    return attempts.made.get(slice_id)


def execute_slices(slice_ids: Sequence[str], clock: Clock | None = None) -> Attempts:
    """Place due slices, whatever woke us and however often. Postgres's clock decides, unless a test gives its own.

    Those of accounts that cannot be reached from here are left as they are; those of one that has its share of threads
    are put aside. Raises DatabaseUnavailable, with nothing sent; if that happens after the claim, the sweeps find out
    what became of the slices.
    """
    if not is_steady():
        # The database's clock was set, or is another one: it is left to a later message or the watch.
        return Attempts()
    attempts, accounts = Attempts(), brokers.reachable()
    is_alone = len(accounts) == 1
    for broker, of_account in _by_account(accounts, slice_ids):
        with shares.share_of(broker.name, is_alone=is_alone) as is_given:
            if not is_given:
                # The watch of this worker has them back in a second, or whatever sees to those of lost messages.
                log.info("slices wait for a thread", broker_account=broker.name, slice_ids=of_account)
                shares.put_aside(broker.name, of_account)
                continue
            done = _execute(broker, of_account, clock)
        attempts.made.update(done.made)
        attempts.failed.update(done.failed)
    return attempts


def _by_account(accounts: Sequence[Broker], slice_ids: Sequence[str]) -> Iterator[tuple[Broker, Sequence[str]]]:
    if len(accounts) == 1:
        # Whatever is another account's cannot be claimed for this one.
        yield accounts[0], slice_ids
        return
    with db.statement() as connection:
        account_of = slices.broker_accounts_of(connection, slice_ids)
    for broker in accounts:
        of_account = [one for one in slice_ids if account_of.get(one) == broker.name]
        if of_account:
            yield broker, of_account


def _execute(broker: Broker, slice_ids: Sequence[str], clock: Clock | None, *, is_replanned: bool = False) -> Attempts:
    if not sending_hold.may_send(broker):
        return Attempts()
    slice_ids = sending_hold.without_forgotten(broker, slice_ids)
    # A lone slice is sent by this thread.
    threads = len(slice_ids) if len(slice_ids) > 1 else 0
    with places_of(broker.name).reserved(threads) as reserved, fence_together(slice_ids) as fence:
        if not fence.slice_ids:
            return Attempts()
        claims = claim_together(fence, broker.name, clock)
        attempts = _place(fence, claims, broker, reserved) if claims.made else Attempts()
    if claims.made:
        failpoint("execute.after_unlock")
    for slice_id, seen_at in claims.over.items():
        _by_itself(slice_id, attempts, partial(skip_over, slice_id, seen_at))
    for slice_id, seen_at in claims.closed.items():
        _by_itself(slice_id, attempts, partial(put_off, [slice_id], seen_at))
    if claims.crowded and not is_replanned:
        _send_by_new_plans(broker, claims.crowded, attempts, clock)
    if len(slice_ids) > 1:
        for slice_id in claims.held_up:
            _by_itself(slice_id, attempts, partial(_execute_too, broker, slice_id, attempts, clock))
    return attempts


def _place(fence: SendingFence, claims: Claims, broker: Broker, reserved: Reserved) -> Attempts:
    recorder = Recorder(fence, broker.name, claims.made)
    # What was not claimed is free for others at once.
    fence.keep({one.slice_id for one in claims.made})
    try:
        send_together(fence, claims.made, broker, reserved, recorder.take)
    finally:
        recorder.finish()
    return Attempts(recorder.made, recorder.failed)


def _by_itself(slice_id: str, attempts: Attempts, deed: Callable[[], object]) -> None:
    try:
        deed()
    except Exception as error:
        troubles.warn(log, str(error), "slice left to the sweeps", slice_id=slice_id, reason=str(error))
        attempts.failed[slice_id] = error


def _send_by_new_plans(
    broker: Broker, crowded: Mapping[str, datetime], attempts: Attempts, clock: Clock | None
) -> None:
    """Plan anew the orders of slices that are too many to go out together, and send what is due even so."""
    seen_at = max(crowded.values())

    def send() -> None:
        replan_of_slices(list(crowded), seen_at)
        found = _execute(broker, list(crowded), clock, is_replanned=True)
        attempts.made.update(found.made)
        attempts.failed.update(found.failed)

    _by_itself(next(iter(crowded)), attempts, send)


def _execute_too(broker: Broker, slice_id: str, attempts: Attempts, clock: Clock | None) -> None:
    found = _execute(broker, [slice_id], clock)
    attempts.made.update(found.made)
    attempts.failed.update(found.failed)
