"""Versions of what can be changed: by them a client changes only what it has seen.

A version is an entity tag (RFC 9110) that names one state exactly: a digest of all that is told of it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from api_contract.errors import PreconditionFailed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIGITS = 40


@dataclass(frozen=True)
class Expected:
    """The versions that a change is meant for; None: any."""

    etags: frozenset[str] | None

    def check(self, current: str) -> None:
        """Raise PreconditionFailed unless this version is one of them."""
        if self.etags is not None and current not in self.etags:
            raise PreconditionFailed("it has changed since it was read", {"etag": current})


def etag_of(report: "DataclassInstance") -> str:
    """The version of what is told in a report."""
    told = json.dumps(asdict(report), default=str, sort_keys=True)
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]}"'
