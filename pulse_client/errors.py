"""What can go wrong between a client and the gateway; each text is one sentence for the person who asked.

GatewayError                the gateway answered that it failed
    NotReachable            no gateway there, or none that gives an answer
    Refused                 the gateway said no, and why
        InvalidRequest          400  it cannot be what was meant
        Unauthorized            401  nobody, or somebody whose token or key has ended
        Forbidden               403  not for this caller
        NotFound                404  there is no such thing, for this caller
        Conflict                409  it is in no state for that, or its key names something else
        PreconditionFailed      412  it has changed since it was read
        NotAccepted             422  it is understood, and not taken
        PreconditionRequired    428  it is changed only as it was read: say which version is meant
        TooMany                 429  too much at once, or too often
    EventsReset             the numbers of events end before the one that was seen last: the database was restored
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class GatewayError(Exception):
    """`retry_after`: seconds after which asking again may help; None when it will not.

    `details` are those of the answer, whose fields depend on the code.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.details: Mapping[str, Any] = MappingProxyType({})


class NotReachable(GatewayError):
    """Of a change that has no key, it is not known whether it was done."""


class Refused(GatewayError):
    """`code`, `status` and `details` are those of the API's table of errors."""

    def __init__(
        self,
        message: str,
        status: int,
        code: str,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, retry_after)
        self.status = status
        self.code = code
        self.details = details or {}


class InvalidRequest(Refused):
    pass


class Unauthorized(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class PreconditionFailed(Refused):
    @property
    def etag(self) -> str | None:
        """That of its state now, None if it could not be told."""
        return self.details.get("etag")


class NotAccepted(Refused):
    pass


class PreconditionRequired(Refused):
    pass


class TooMany(Refused):
    pass


class EventsReset(GatewayError):
    """Read again what you know of the orders, and go on after `last_event_id`, the last event that there is."""

    def __init__(self, seen: int, last_event_id: int) -> None:
        super().__init__(f"The events end at {last_event_id}, before {seen}: the service was set back.")
        self.last_event_id = last_event_id


OF_STATUS: Mapping[int, type[Refused]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: NotAccepted,
    428: PreconditionRequired,
    429: TooMany,
}
