"""Task events, which Flower lives on: none is lost between the threads of the pool.

Celery's dispatcher empties a list to which other threads are just adding, forgets what a broken connection left over,
and lets tasks that outlive a connection speak to a dispatcher that is closed.
"""

from collections import deque
from typing import Any

from celery import bootsteps
from celery.app.events import Events
from celery.events.dispatcher import EventDispatcher
from celery.events.event import Event, group_from
from celery.utils.time import utcoffset

# One message for many events costs far less than one for each; Flower's page is at most this much behind.
FLUSH_SECONDS = 0.25
MOST_TOGETHER = 100
# While the queue is away. The oldest go first.
MOST_WAITING = 50_000


class ThreadSafeEvents(Events):  # type: ignore[misc]
    """What `app.events` makes, with our dispatcher."""

    dispatcher_cls = "pulse_tasks.task_events:ThreadSafeDispatcher"


class ThreadSafeDispatcher(EventDispatcher):  # type: ignore[misc]
    """Takes events from any thread without a lock, and publishes them in batches, in one thread at a time."""

    producer: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        # Its ends are safe to use from any thread.
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        super().__init__(*args, **options)

    def send(self, event_type: str, blind: bool = False, **fields: Any) -> None:
        """Take one event; those of tasks wait for the next flush, as does one that cannot be published.

        Nobody waits for the queue: with its heartbeat a worker would, and be deaf to the signal to end.
        """
        group = group_from(event_type)
        if group not in self.buffer_group:
            super().send(event_type, blind=blind, **fields | {"retry": False})
        elif self.enabled and (not self.groups or group in self.groups):
            stamp = {"hostname": self.hostname, "utcoffset": utcoffset(), "pid": self.pid}
            self._waiting.append(Event(event_type, clock=self.clock.forward(), **stamp, **fields))

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Publish what could not be published before, and what waits."""
        with self.mutex:
            if self.producer is None:
                return
            for _ in range(len(self._outbound_buffer) if errors else 0):
                event, routing_key, _error = self._outbound_buffer.popleft()
                if not self._is_published(event, routing_key):
                    return
            while groups and (batch := self._taken()):
                if not self._is_published(batch, "task.multi"):
                    return

    def extend_buffer(self, other: "ThreadSafeDispatcher") -> None:
        """Go on for a dispatcher whose connection is gone; tasks that began under it still tell it of their end."""
        self._outbound_buffer.extend(other._outbound_buffer)
        self._waiting = other._waiting

    def close(self) -> None:
        """Publish no more; what is sent to it from now on waits for its successor."""
        with self.mutex:
            self.producer = None

    def _is_published(self, event: Any, routing_key: str) -> bool:
        kept = len(self._outbound_buffer)
        # Celery keeps what cannot be published.
        self._publish(event, self.producer, routing_key)
        return len(self._outbound_buffer) == kept

    def _taken(self) -> list[dict[str, Any]]:
        batch: list[dict[str, Any]] = []
        try:
            while len(batch) < MOST_TOGETHER:
                batch.append(self._waiting.popleft())
        except IndexError:
            pass
        return batch


class FlushEvents(bootsteps.StartStopStep):  # type: ignore[misc]
    """Publish task events from the worker's own loop, and the last ones when the pool has ended."""

    requires = ("celery.worker.consumer.events:Events",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(FLUSH_SECONDS, consumer.event_dispatcher.flush)

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def shutdown(self, consumer: Any) -> None:
        if consumer.event_dispatcher is not None:
            consumer.event_dispatcher.flush()
