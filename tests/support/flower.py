"""Who listens to task events as Flower does, and keeps the state that Flower shows."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.events.state import State, Task

from tests.support.processes import wait_until


class Listener:
    """What was heard, event by event and as tasks."""

    def __init__(self) -> None:
        self.state = State()
        self.heard: list[dict[str, Any]] = []

    def hear(self, event: dict[str, Any]) -> None:
        self.heard.append(event)
        self.state.event(event)

    def tasks(self, name: str) -> Sequence[Task]:
        return [task for task in list(self.state.tasks.values()) if task.name == name]

    def types(self) -> list[str]:
        return [event["type"] for event in self.heard]


@contextmanager
def listening(app: Celery) -> Iterator[Listener]:
    """Somebody who hears every event of the queue while the block runs."""
    listener = Listener()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": listener.hear})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: _is_heard(app, listener), what="a listener")
            yield listener
        finally:
            receiver.should_stop = True
            thread.join(10)


def _is_heard(app: Celery, listener: Listener) -> bool:
    with app.events.default_dispatcher() as dispatcher:
        dispatcher.send("test-probe")
    return bool(listener.heard)
