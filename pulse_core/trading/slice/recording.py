"""Record the answers to a batch as they come: one that is slow to record holds up no other."""

from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from api_contract.log import get_logger
from api_contract.spans import continued
from api_contract.troubles import troubles
from api_contract.vocabulary import SliceStatus
from pulse_core.boottime import boottime
from pulse_core.brokers.port import RATE_LIMITED
from pulse_core.errors import DatabaseUnavailable
from pulse_core.failpoints import failpoint
from pulse_core.metrics.slices import note_sent
from pulse_core.sending_fence import SendingFence
from pulse_core.trading.admission import admit
from pulse_core.trading.admission.limits import is_on
from pulse_core.trading.slice import outcome
from pulse_core.trading.slice.claiming import Claim
from pulse_core.trading.slice.outcome import CameOut, Outcome
from pulse_core.trading.slice.sending import Answer, senders_of

log = get_logger(__name__)


@dataclass(frozen=True)
class Attempted:
    """How an attempt came out, and the status of its slice after that."""

    slice_id: str
    outcome: Outcome
    status: SliceStatus


class Recorder:
    """What became of claimed slices of one account. Of `failed` ones nobody knows it, and the sweeps find out."""

    def __init__(self, fence: SendingFence, broker_account: str, claimed: Sequence[Claim]) -> None:
        self.made: dict[str, Attempted] = {}
        self.failed: dict[str, Exception] = {}
        self._fence = fence
        self._broker_account = broker_account
        self._open = {one.slice_id for one in claimed}
        self._is_alone = len(claimed) == 1
        self._is_slow = False
        self._elsewhere: list[Future[None]] = []

    def take(self, answers: Sequence[Answer]) -> None:
        """Record what has come, and let go of its slices."""
        failpoint("execute.after_send")
        came_out = [CameOut(one.claim, one.outcome, boottime()) for one in answers if one.outcome is not None]
        for one in answers:
            if one.error is not None:
                self._fail(one.claim, one.error)
        for known in came_out:
            with continued(known.claim.claimed.trace):
                outcome.note(known)
        working = outcome.acknowledge(came_out)
        for known in came_out:
            if known.claim.slice_id in working:
                self._done(known, SliceStatus.WORKING)
        for known in came_out:
            if known.claim.slice_id not in working:
                self._record(known)
        failpoint("execute.after_record")
        _note(self._broker_account, came_out)
        if self._open:
            self._fence.keep(self._open)

    def finish(self) -> None:
        """Wait for what is being recorded by other threads: until then the fence must stand."""
        wait(self._elsewhere)

    def _record(self, came_out: CameOut) -> None:
        """At once; when the database is away, or a row is locked for long, beside the others of the batch."""
        if self._record_once(came_out):
            return
        if self._is_alone:
            self._record_anyhow(came_out)
            return
        self._is_slow = True
        self._elsewhere.append(senders_of(self._broker_account).submit(self._record_anyhow, came_out))

    def _record_once(self, came_out: CameOut) -> bool:
        if self._is_slow:
            return False
        with continued(came_out.claim.claimed.trace):
            try:
                status = outcome.record_once(came_out)
            except Exception as error:
                self._fail(came_out.claim, error)
                return True
        if status is not None:
            self._done(came_out, status)
        return status is not None

    def _record_anyhow(self, came_out: CameOut) -> None:
        with continued(came_out.claim.claimed.trace):
            try:
                self._done(came_out, outcome.record_anyhow(came_out))
            except Exception as error:
                self._fail(came_out.claim, error)

    def _done(self, came_out: CameOut, status: SliceStatus) -> None:
        slice_id = came_out.claim.slice_id
        self.made[slice_id] = Attempted(slice_id, came_out.outcome, status)
        self._open.discard(slice_id)

    def _fail(self, claim: Claim, error: Exception) -> None:
        self.failed[claim.slice_id] = error
        self._open.discard(claim.slice_id)
        is_away = isinstance(error, DatabaseUnavailable)
        log.error(
            "slice left to the sweeps", slice_id=claim.slice_id, reason=str(error), exc_info=None if is_away else error
        )


def _note(broker_account: str, came_out: Sequence[CameOut]) -> None:
    for one in came_out:
        claimed, sent_at = one.claim.claimed, one.outcome.sent_at
        if sent_at is not None:
            note_sent(claimed.scheduled_at, claimed.due_at, claimed.admitted_at or claimed.due_at, sent_at)
    if is_on() and any(one.outcome.code == RATE_LIMITED for one in came_out):
        try:
            admit.note_full(broker_account)
        except DatabaseUnavailable as error:
            troubles.warn(log, str(error), "a full window was not noted", reason=str(error))
