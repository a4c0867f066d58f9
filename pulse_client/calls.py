"""Calls to the gateway for one account, by its credentials, an access token or an API key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from pulse_client.errors import NotReachable, Refused, Unauthorized
from pulse_client.models import AccessToken
from pulse_client.reading import Answer, Unreadable
from pulse_client.transport import Request, Response, Transport, new_key

_CODE_NEEDED = "SECOND_FACTOR_REQUIRED"

_A = TypeVar("_A", bound=Answer)


@dataclass(frozen=True)
class Credentials:
    """`ask_code` gives the code of the second factor, when a login takes one: six digits, or a recovery code."""

    username: str
    password: str = field(repr=False)
    ask_code: Callable[[], str] | None = field(default=None, repr=False)


class Calls:
    """With credentials it logs in when it has to, so that a long watch outlives its tokens.

    `cell`: the one that is meant, where accounts are in several; for operators and admins.
    """

    def __init__(
        self,
        url: str,
        identity: Credentials | str,
        say: Callable[[str], None] = lambda _line: None,
        cell: str | None = None,
    ) -> None:
        self._transport = Transport(url, say, cell)
        self._credentials = identity if isinstance(identity, Credentials) else None
        self._token = identity if isinstance(identity, str) else None
        self._refresh_token: str | None = None

    @property
    def url(self) -> str:
        return self._transport.url

    def log_in(self) -> AccessToken:
        """A fresh access token. With a token in place of credentials there is nothing to log in with."""
        assert self._credentials is not None, "needs credentials"  # noqa: S101
        body = {"username": self._credentials.username, "password": self._credentials.password}
        try:
            return self._tokens("/api/auth/login", body)
        except Refused as refused:
            if refused.code != _CODE_NEEDED or self._credentials.ask_code is None:
                raise
            return self._tokens("/api/auth/login", body | proof(self._credentials.ask_code()))

    def _get(self, kind: type[_A], path: str, **query: Any) -> _A:
        return self._parse(kind, self._ask(Request("GET", path, query=query)))

    def _change(
        self,
        method: str,
        path: str,
        body: object | None = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
    ) -> Response:
        """A change that is done once, however often it is sent: by this key, or by one of its own."""
        headers = {} if if_match is None else {"If-Match": if_match}
        return self._ask(Request(method, path, body=body, headers=headers, key=idempotency_key or new_key()))

    def _change_without_key(self, method: str, path: str, body: object) -> Response:
        """A change whose answer holds a secret, and is kept nowhere: it is sent once."""
        return self._ask(Request(method, path, body=body, is_repeatable=False))

    def _ask(self, request: Request) -> Response:
        if self._token is None:
            self.log_in()
        try:
            return self._transport.send(request, self._token)
        except Unauthorized:
            if self._credentials is None:
                raise
        self._renew()
        return self._transport.send(request, self._token)

    def _renew(self) -> None:
        # Where a login takes a code, nobody may be there to be asked for one.
        if self._refresh_token is not None:
            try:
                self._tokens("/api/auth/refresh", {"refresh_token": self._refresh_token})
            except Refused:
                self._refresh_token = None
            else:
                return
        self.log_in()

    def _tokens(self, path: str, body: Mapping[str, str]) -> AccessToken:
        token = self._parse(AccessToken, self._transport.send(Request("POST", path, body=body), token=None))
        self._token, self._refresh_token = token.access_token, token.further.get("refresh_token")
        return token

    def _parse(self, kind: type[_A], answer: Response) -> _A:
        return self._read(kind, answer.data, answer.headers.get("ETag"))

    def _read(self, kind: type[_A], data: bytes, etag: str | None = None) -> _A:
        try:
            return kind.from_json(data, etag)
        except Unreadable as error:
            raise NotReachable(f"{self.url} does not answer like a gateway of this version.") from error


def proof(code: str | None) -> dict[str, str]:
    """How a code is sent, by what it looks like."""
    if code is None:
        return {}
    text = code.replace(" ", "")
    return {"totp_code": text} if text.isdecimal() else {"recovery_code": text}


def part(text: str) -> str:
    """A text as a part of a path."""
    return quote(text, safe="")
