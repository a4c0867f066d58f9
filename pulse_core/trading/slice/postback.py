"""The broker's postbacks: they prove nothing, but are a reason to read its book now."""

from collections.abc import Iterable, Mapping
from itertools import groupby, islice
from operator import attrgetter
from threading import Lock, Timer

from api_contract.errors import Forbidden, InvalidRequest
from api_contract.log import get_logger
from pulse_core import brokers, queue
from pulse_core.tasks import Task
from pulse_core.trading.book.hints import Hint, told

log = get_logger(__name__)

# A reading costs as much for one fill as for ten, and the first of a while is told of at once.
SHORTEST_PAUSE = 0.5
# Of an account: a reading of its book needs no names, and so many orders are not looked up one by one.
MOST_NAMED = 20


class Hints:
    """Gathers the orders of postbacks: one message tells of all that came since the last one, at most four a second.

    None waits for the next postback: it might be the last for long.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: set[Hint] = set()
        self._is_pausing = False

    def take(self, hint: Hint) -> None:
        """Have the order looked at, now or within SHORTEST_PAUSE."""
        with self._lock:
            self._waiting.add(hint)
            if self._is_pausing:
                return
            self._is_pausing = True
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            named, self._waiting = _some_of_each_account(self._waiting), set()
            self._is_pausing = bool(named)
        if not named:
            return
        timer = Timer(SHORTEST_PAUSE, self._tell)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            # Without a thread there is no pause either; a pause that never ended would swallow every hint.
            self._is_pausing = False
        queue.wake(Task.TRACK_SLICES, told(named))


def _some_of_each_account(hints: Iterable[Hint]) -> list[Hint]:
    by_account = groupby(sorted(hints), attrgetter("broker_account"))
    return [hint for _account, its in by_account for hint in islice(its, MOST_NAMED)]


_hints = Hints()


def take_postback(body: bytes, headers: Mapping[str, str]) -> None:
    """Verify a postback's signature and have the broker's book read; its content is not believed.

    Raises InvalidRequest for a body that is not a postback, Forbidden without the signature of any account.
    """
    broker_account, broker_order_id = _verified(body, headers)
    log.info("postback taken", broker_account=broker_account, broker_order_id=broker_order_id)
    _hints.take(Hint(broker_account, broker_order_id))


def _verified(body: bytes, headers: Mapping[str, str]) -> tuple[str, str]:
    """Which account it is for, and the broker order that it is about: it names no account, so each is tried."""
    refusal: InvalidRequest | Forbidden = Forbidden("no broker account here is posted to")
    for broker in brokers.reachable():
        try:
            broker_order_id = broker.verify_postback(body, headers)
        except (InvalidRequest, Forbidden) as error:
            refusal = error
            continue
        if broker_order_id is not None:
            return broker.name, broker_order_id
    raise refusal
