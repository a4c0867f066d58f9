"""What the gateway alone cannot do, or passes on, in the tree of `api_contract.errors`.

PulseError
    UpstreamError           pulse answered, but not in words we understand
    UpstreamTimeout
    Refused                 pulse's own refusal, passed on
"""

from collections.abc import Mapping
from typing import Any

from api_contract.errors import PulseError


class UpstreamError(PulseError):
    code = "UPSTREAM_ERROR"


class UpstreamTimeout(PulseError):
    code = "UPSTREAM_TIMEOUT"


class Refused(PulseError):
    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, details)
        self._status = status
        self.code = code

    @property
    def status(self) -> int:
        return self._status
