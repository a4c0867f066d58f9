"""Versions of what can be changed: by them a client changes only what it has seen.

A version is an entity tag (RFC 9110) that names one state exactly: a digest of all that is told of it, but for
what moves with the time alone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from api_contract.errors import PreconditionFailed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIGITS = 40
_MOVES = "moves with the time alone"
# The metadata of a field of a report that is of no version: nothing has changed when it has.
OF_THE_MOMENT = {_MOVES: True}


@dataclass(frozen=True)
class Expected:
    """The versions that a change is meant for; None: any."""

    etags: frozenset[str] | None

    def check(self, current: str) -> None:
        """Raise PreconditionFailed unless this version is one of them."""
        if self.etags is not None and current not in self.etags:
            raise PreconditionFailed("it has changed since it was read", {"etag": current})


def etag_of(report: "DataclassInstance") -> str:
    """The version of what is told in a report, fields `OF_THE_MOMENT` aside."""
    moving = {one.name for one in fields(report) if _MOVES in one.metadata}
    lasting = {name: value for name, value in asdict(report).items() if name not in moving}
    told = json.dumps(lasting, default=str, sort_keys=True)
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}"'
