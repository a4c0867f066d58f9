"""A worker begins only with a database that can be worked with, or ends with a sentence."""

from typing import Any

from celery import bootsteps
from celery.concurrency import get_implementation

from pulse_core import db, fitness
from pulse_core.broker_accounts import starting
from pulse_core.config import OF_THE_CONTROL_WORKER, OF_WORKERS, settings_to_start
from pulse_core.tasks import DEFAULT_QUEUE
from pulse_tasks import alive

POOLS = ("threads", "solo")


class FitToStart(bootsteps.Step):  # type: ignore[misc]
    """Before everything else, and before the worker takes a message.

    What asks the database requires it: Celery takes steps that are bound to nothing in any order.
    """

    requires = ("celery.worker.components:Timer",)

    def create(self, worker: Any) -> None:
        if worker.pool_cls not in map(get_implementation, POOLS):
            raise SystemExit(
                f"worker cannot start: start it with --pool={' or --pool='.join(POOLS)}. Processes of any other pool "
                "would share a connection, and with it the fence that keeps a slice from being sent twice."
            )
        is_of_control = DEFAULT_QUEUE in worker.app.amqp.queues.consume_from
        config = settings_to_start("worker", OF_WORKERS + OF_THE_CONTROL_WORKER if is_of_control else OF_WORKERS)
        # Its threads take turns with these: statements are short, and of as many as it has threads none is quicker.
        db.keep_to(config.worker_database_pool_size)
        alive.keep_touched()
        fitness.wait_until_fit("worker")
        starting.check_credentials("worker", to_call_only=True)
