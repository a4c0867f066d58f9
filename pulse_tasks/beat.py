"""Beat asks for each sweep at its time, but for those that one look at the database shows to have nothing to find."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from celery.beat import Scheduler, SchedulingError
from celery.signals import after_task_publish, beat_init

from api_contract.log import get_logger
from api_contract.metrics import Process
from api_contract.troubles import troubles
from pulse_core import fitness
from pulse_core.boottime import boottime
from pulse_core.errors import DatabaseUnavailable
from pulse_core.health import reporter
from pulse_core.health.vocabulary import ProcessKind
from pulse_core.outlook import sweeps_with_work
from pulse_core.queue_away import AWAY
from pulse_core.tasks import PERIODS, Task
from pulse_tasks import alive
from pulse_tasks.metrics_page import TICKS, serve

log = get_logger(__name__)


class Rounds:
    """Which sweeps are due, all of them at the first asking; `clock` gives seconds and is never set."""

    def __init__(self, periods: Mapping[Task, float], clock: Callable[[], float] = boottime) -> None:
        self._periods = periods
        self._clock = clock
        self._began_at = clock()
        self._next: dict[Task, float] = dict.fromkeys(periods, 0.0)

    def due(self) -> list[Task]:
        """Those whose time has come since they were due last. One that was held up is not made up for."""
        now = self._now()
        found = [task for task, at in self._next.items() if at <= now]
        for task in found:
            period = self._periods[task]
            self._next[task] = (now // period + 1) * period
        return found

    def seconds_left(self) -> float:
        """How long it is until some are due."""
        return max(min(self._next.values()) - self._now(), 0.0)

    def _now(self) -> float:
        return self._clock() - self._began_at


class LookingScheduler(Scheduler):  # type: ignore[misc]
    """Celery's, but for when it sends what."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._rounds = Rounds(PERIODS)
        self._is_failing = False
        super().__init__(*args, **options)

    def tick(self, *_args: Any, **_options: Any) -> float:
        """Send what is due and may find something; returns for how many seconds there is nothing to do."""
        if due := self._rounds.due():
            with_work = self._look()
            for task in due:
                if task in with_work:
                    self._send(task)
        return self._rounds.seconds_left()

    def _send(self, task: Task) -> None:
        try:
            self.apply_async(self.schedule[task.value], producer=self.producer, advance=False)
        except SchedulingError as away:
            # The control worker runs what no message asks for.
            troubles.warn(log, AWAY, "tick not sent", task=task, reason=str(away.__context__ or away))

    def _look(self) -> Collection[Task]:
        """The sweeps that may find something: all of them while nobody can look."""
        try:
            with_work = sweeps_with_work()
        except DatabaseUnavailable as away:
            log.debug("look put off", reason=str(away))
            return PERIODS.keys()
        except Exception:
            # Of a database without our tables, for one: it is said once for as long as it lasts.
            if not self._is_failing:
                log.exception("look failed")
            self._is_failing = True
            return PERIODS.keys()
        self._is_failing = False
        return with_work


@beat_init.connect(weak=False)
def _begin(**_signal: object) -> None:
    alive.keep_touched()
    fitness.wait_until_fit("beat")
    reporter.start(ProcessKind.BEAT)
    if serve(Process.BEAT) is None:
        return
    sent = {name.value: TICKS.labels(name.value) for name in PERIODS}

    @after_task_publish.connect(weak=False)
    def _count(sender: str | None = None, **_signal: object) -> None:
        if sender in sent:
            sent[sender].inc()
