"""The words of logins that stand in the database."""

from enum import StrEnum


class SessionEnd(StrEnum):
    """Why a login ended before its time."""

    LOGOUT = "LOGOUT"
    REUSE = "REUSE"
    ACCOUNT = "ACCOUNT"
