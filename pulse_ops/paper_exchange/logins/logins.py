"""Request tokens and access tokens: given out, used once, ended at six. They survive a restart."""

import hmac
import secrets
from dataclasses import dataclass
from threading import Lock

from pulse_ops.paper_exchange.errors import WireError, bad_input
from pulse_ops.paper_exchange.logins.rules import REQUEST_TOKEN_SECONDS, checksum, digest, ends_at
from pulse_ops.paper_exchange.store import Books

_SECOND = 1_000_000
_LIVE = "SELECT access_token, ends_at FROM logins WHERE NOT is_ended"
_END_ALL = "UPDATE logins SET is_ended = 1 WHERE NOT is_ended"


@dataclass(frozen=True)
class App:
    """The one app that the exchange knows. `standing_token` works without a login, unless that is set off."""

    api_key: str
    api_secret: str
    standing_token: str
    redirect_url: str | None = None


class Logins:
    """Says who may call. Safe to call from many threads."""

    def __init__(self, books: Books, app: App, *, is_standing: bool = True) -> None:
        self.app = app
        self._books = books
        self._lock = Lock()
        self._live: dict[str, int] = {row["access_token"]: row["ends_at"] for row in books.rows(_LIVE)}
        self._standing = f"token {app.api_key}:{app.standing_token}".encode()
        self._is_standing = is_standing

    @property
    def is_standing(self) -> bool:
        """Whether the standing token works."""
        return self._is_standing

    def set_standing(self, is_standing: bool) -> None:
        """Let the standing token work, or want a login of everybody."""
        self._is_standing = is_standing

    def check(self, authorization: str) -> None:
        """Let a call pass, or raise WireError."""
        given = authorization.encode()
        if self._is_standing and hmac.compare_digest(given, self._standing):
            return
        scheme, _, credentials = authorization.partition(" ")
        api_key, _, token = credentials.partition(":")
        if scheme != "token" or not self._is_key(api_key) or not self._is_live(token):
            raise WireError(403, "TokenException", "Incorrect `api_key` or `access_token`.")

    def give_request_token(self, api_key: str) -> str:
        """What the login page hands out to somebody who has logged in. Raises WireError."""
        if not self._is_key(api_key):
            raise bad_input("Invalid `api_key`.")
        token = secrets.token_urlsafe(24)
        with self._books.transaction():
            self._books.write("INSERT INTO request_tokens VALUES (?, ?, NULL)", digest(token), self._books.now())
        return token

    def begin(self, api_key: str, request_token: str, given_checksum: str) -> str:
        """Take a request token, once, for an access token; logins before it end. Raises WireError."""
        if not self._is_key(api_key):
            raise WireError(403, "TokenException", "Invalid `api_key`.")
        expected = checksum(api_key, request_token, self.app.api_secret)
        if not hmac.compare_digest(given_checksum.encode(), expected.encode()):
            raise WireError(403, "TokenException", "Invalid `checksum`.")
        token, now = secrets.token_urlsafe(24), self._books.now()
        with self._lock:
            with self._books.transaction():
                self._use(request_token, now)
                self._books.write(_END_ALL)
                self._books.write("INSERT INTO logins VALUES (?, ?, ?, 0)", digest(token), now, ends_at(now))
            self._live = {digest(token): ends_at(now)}
        return token

    def end(self, api_key: str, access_token: str) -> None:
        """End a login. Raises WireError."""
        if self._is_standing and access_token == self.app.standing_token:
            raise bad_input("The standing `access_token` of the paper exchange does not end.")
        if not self._is_key(api_key) or not self._is_live(access_token):
            raise WireError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        self.end_all()

    def end_all(self) -> None:
        """End every login, as one elsewhere does."""
        with self._lock:
            with self._books.transaction():
                self._books.write(_END_ALL)
            self._live = {}

    def _use(self, request_token: str, now: int) -> None:
        oldest = now - REQUEST_TOKEN_SECONDS * _SECOND
        used = self._books.write(
            "UPDATE request_tokens SET used_at = ? WHERE token = ? AND used_at IS NULL AND given_at >= ?",
            now,
            digest(request_token),
            oldest,
        )
        if not used:
            raise WireError(403, "TokenException", "Token is invalid or has expired.")

    def _is_key(self, api_key: str) -> bool:
        return hmac.compare_digest(api_key.encode(), self.app.api_key.encode())

    def _is_live(self, token: str) -> bool:
        return self._books.now() < self._live.get(digest(token), 0)
