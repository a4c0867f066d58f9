"""Who delivers when: webhooks take turns, each on a thread of its own, in one of two lanes.

In the doubtful lane are those that took nothing yet, failed last, or were slow; the prompt ones wait for none of them.
In each lane an account has few turns at once, and of those that wait comes first whoever was served longest ago.
"""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Condition, Lock, Thread

from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.delivery import Clock, Turn, close_old_lines, take_turn
from pulse_core.events.resolving import Resolver
from pulse_core.events.store import webhooks
from pulse_core.events.tables import Webhook

log = get_logger(__name__)

AT_ONCE, AT_ONCE_OF_ACCOUNT = 12, 2
# The system's resolver may take half a minute to give a name up, for which nobody waits so long.
LOOK_UPS, LOOK_UPS_OF_ACCOUNT = 24, 2
# A webhook whose post took longer is doubtful until one takes less.
PROMPT_SECONDS = 1.0
LOOKED_AT = 500
LOOK_AGAIN_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.02
MOST_REMEMBERED = 10_000
# The name of the thread that runs beside the sweeps.
IN_BACKGROUND = "webhooks"


@dataclass
class _Lane:
    """So many turns at once, of an account so many, with a resolver that nobody else uses."""

    is_doubtful: bool
    resolver: Resolver = field(default_factory=lambda: Resolver(LOOK_UPS, LOOK_UPS_OF_ACCOUNT))
    busy: Counter[str] = field(default_factory=Counter)

    def has_place(self, account_id: str) -> bool:
        return self.busy.total() < AT_ONCE and self.busy[account_id] < AT_ONCE_OF_ACCOUNT


class Deliverer:
    """Gives turns for as long as something is due by the clock it was given."""

    def __init__(self, now: Clock = utcnow) -> None:
        self._now = now
        self._lanes = {is_doubtful: _Lane(is_doubtful) for is_doubtful in (False, True)}
        self._changed = Condition()
        self._busy: set[str] = set()
        self._slow: dict[str, float] = {}
        self._served_at: dict[str, float] = {}
        self._accepted = 0
        self._is_nudged = False

    def run(self) -> int:
        """Give turns until nothing is due and nobody is at it; returns how many posts were accepted."""
        self._accepted = 0
        while True:
            begun = self._begin_turns()
            with self._changed:
                if not self._busy and not begun and not self._is_nudged:
                    break
                self._changed.wait_for(lambda: self._is_nudged, LOOK_AGAIN_SECONDS)
                self._is_nudged = False
            time.sleep(SHORTEST_PAUSE_SECONDS)
        close_old_lines()
        return self._accepted

    def nudge(self) -> None:
        """Say that something new may be due."""
        with self._changed:
            self._is_nudged = True
            self._changed.notify_all()

    def _begin_turns(self) -> int:
        """Begin a turn for each webhook that is due and finds a place; returns how many."""
        now = self._now()
        with db.transaction() as session:
            found = [
                one
                for is_doubtful in self._lanes
                for one in webhooks.due(session, now, LOOKED_AT, is_doubtful=is_doubtful)
            ]
        begun = 0
        for one in self._in_turn(found):
            lane = self._lanes[one.verified_at is None or one.failures > 0 or one.id in self._slow]
            with self._changed:
                if one.id in self._busy or not lane.has_place(one.account_id):
                    continue
                self._busy.add(one.id)
                lane.busy[one.account_id] += 1
            begun += 1
            _remember(self._served_at, one.account_id, time.monotonic())
            Thread(target=self._take_turn, args=(one, lane), name="webhook", daemon=True).start()
        return begun

    def _in_turn(self, found: Iterable[Webhook]) -> Iterable[Webhook]:
        return sorted(found, key=lambda one: (self._served_at.get(one.account_id, 0.0), one.next_attempt_at))

    def _take_turn(self, one: Webhook, lane: _Lane) -> None:
        turn = Turn(0, 0.0)
        try:
            turn = take_turn(one, lane.resolver, self._now)
        except DatabaseUnavailable as away:
            # The claim runs out, and the same events are posted again.
            troubles.warn(log, away.message, "delivery put off", webhook_id=one.id, reason=away.message)
        except Exception:
            log.exception("delivery failed", webhook_id=one.id)
        finally:
            self._end_turn(one, lane, turn)

    def _end_turn(self, one: Webhook, lane: _Lane, turn: Turn) -> None:
        with self._changed:
            self._accepted += turn.accepted
            if turn.slowest > PROMPT_SECONDS:
                _remember(self._slow, one.id, turn.slowest)
            elif turn.accepted:
                self._slow.pop(one.id, None)
            self._busy.discard(one.id)
            lane.busy[one.account_id] -= 1
            self._is_nudged = True
            self._changed.notify_all()


def _remember(known: dict[str, float], key: str, value: float) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > MOST_REMEMBERED:
        del known[next(iter(known))]


class _Background:
    """One deliverer of this process, which runs beside the sweeps: no receiver holds those up."""

    def __init__(self) -> None:
        self._deliverer = Deliverer()
        self._under_way = Lock()

    def start(self) -> int:
        """Have it run; returns 0 where it does already, and is told to look again."""
        if not self._under_way.acquire(blocking=False):
            self._deliverer.nudge()
            return 0
        Thread(target=self._run, name=IN_BACKGROUND, daemon=True).start()
        return 1

    def _run(self) -> None:
        try:
            self._deliverer.run()
        except DatabaseUnavailable as away:
            troubles.warn(log, away.message, "deliveries put off", reason=away.message)
        except Exception:
            log.exception("deliveries failed")
        finally:
            self._under_way.release()


_background = _Background()


def deliver_webhooks(_now: datetime) -> int:
    """Have what is new posted to webhooks, beside the sweeps."""
    return _background.start()
