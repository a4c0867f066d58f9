"""What ends a task as FAILURE or RETRY in Flower, in words for a person.

Whatever they tell of has been recorded by then: Celery repeats nothing because of them, and they need no stack trace.
"""

from celery.exceptions import Retry


class TaskFailure(Exception):
    """Ends a task that found, or did, what an operator should see."""


class PutOff(TaskFailure):
    """Something of the outside is away; a sweep repeats the work."""


class RetryRefused(TaskFailure):
    """The slice may not be sent again."""


class SliceNotSent(Retry):  # type: ignore[misc]
    """Certainly not at the broker, and in the schedule again: the dispatch sweep sends the next message, not Celery."""

    def __repr__(self) -> str:
        # Flower shows this; Celery's own has the words three brackets deep.
        return f"{type(self).__name__}({self.message!r})"


class SliceRejected(TaskFailure):
    """The broker refused it."""


class SliceFailed(TaskFailure):
    """Not at the broker, and no attempts are left."""


class SliceInDoubt(TaskFailure):
    """It may be live at the broker."""


class SliceSkipped(TaskFailure):
    """It is not sent, and never will be."""


class SlicesFailed(TaskFailure):
    """Slices of a batch failed, each in its own way."""
