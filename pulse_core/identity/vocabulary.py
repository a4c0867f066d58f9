"""The words that the database stores about logins."""

from enum import StrEnum


class SessionEnd(StrEnum):
    """Why a login ended before its time."""

    LOGOUT = "LOGOUT"
    REUSE = "REUSE"
    ACCOUNT = "ACCOUNT"
