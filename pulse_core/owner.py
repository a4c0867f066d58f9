"""Whose things a call may see or change. There is no default: who leaves it out gets nothing, not everything."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OneAccount:
    """What belongs to this account alone."""

    account_id: str


@dataclass(frozen=True)
class EveryAccount:
    """What belongs to anybody: for operators, admins and the terminal."""


Owner = OneAccount | EveryAccount
