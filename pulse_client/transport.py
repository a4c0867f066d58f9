"""One HTTP request to the gateway, and as many more as its patience allows and harm nobody."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, LocationValueError, NewConnectionError
from urllib3.exceptions import TimeoutError as TimedOut

from pulse_client.errors import OF_STATUS, GatewayError, NotReachable, Refused
from pulse_client.wire import plain

CONNECT_SECONDS, ANSWER_SECONDS = 3.0, 10.0
# A stream says something every 15 seconds: twice that in silence, and its connection is dead.
SILENCE_SECONDS = 30.0
PATIENCE_SECONDS = 30.0
LONGEST_PAUSE = 5.0
USER_AGENT = "pulse-client/1"
# Of these the first was certainly not done.
_TOO_MANY, _BUSY = 429, (429, 502, 503, 504)
_UNDER_WAY = "IDEMPOTENCY_KEY_IN_USE"

Response = urllib3.BaseHTTPResponse


def new_key() -> str:
    """A name for a request, by which a repeat of it is known."""
    return uuid4().hex


@dataclass(frozen=True)
class Request:
    """A request to be sent, and sent again where no answer came. What is None is left out.

    `body` is a mapping or a dataclass. A stream's answer is handed over unread. What changes something is sent with its
    `key`, the same each time, so that a repeat is given the first answer. Without one it `is_repeatable` only where
    twice is like once.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: object | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool = False
    key: str | None = None
    is_repeatable: bool = True


class Transport:
    """`say` tells the person at the terminal why it takes longer."""

    def __init__(self, url: str, say: Callable[[str], None], cell: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._always = {} if cell is None else {"Pulse-Cell": cell}
        self._say = say
        self._pool = urllib3.PoolManager(retries=False)

    def send(self, request: Request, token: str | None) -> Response:
        """A successful answer, perhaps not the first one. Raises GatewayError."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        pauses = _pauses()
        while True:
            try:
                return self._send_once(request, token)
            except GatewayError as error:
                if error.retry_after is None:
                    raise
                pause = max(next(pauses), error.retry_after)
                if time.monotonic() + pause > ends_at:
                    raise
                self._say(f"{error} Asking again in {pause:g} s.")
            time.sleep(pause)

    def _send_once(self, request: Request, token: str | None) -> Response:
        query = urlencode({name: plain(value) for name, value in request.query.items() if value is not None})
        again = 0 if request.is_repeatable else None
        try:
            answer = self._pool.request(
                request.method,
                f"{self.url}{request.path}{'?' if query else ''}{query}",
                body=None if request.body is None else json.dumps(request.body, default=plain).encode(),
                headers=self._always | _headers(request, token),
                timeout=urllib3.Timeout(CONNECT_SECONDS, SILENCE_SECONDS if request.is_stream else ANSWER_SECONDS),
                redirect=False,
                preload_content=not request.is_stream,
            )
        except (NewConnectionError, ConnectTimeoutError, LocationValueError) as error:
            raise NotReachable(f"No gateway can be reached at {self.url}.") from error
        except TimedOut as error:
            raise NotReachable(f"{self.url} gave no answer within {ANSWER_SECONDS:g} s.", again) from error
        except HTTPError as error:
            raise NotReachable(f"{self.url} broke off the connection.", again) from error
        if 200 <= answer.status < 300:
            return answer
        raise self._failure(answer, request.is_repeatable)

    def _failure(self, answer: Response, is_repeatable: bool) -> GatewayError:
        error = _error_of(answer)
        is_busy = answer.status in _BUSY or (error is not None and error.code == _UNDER_WAY)
        is_harmless = is_repeatable or answer.status == _TOO_MANY
        retry_after = _retry_after(answer) if is_busy and is_harmless else None
        if error is None:
            return NotReachable(f"{self.url} does not answer like a gateway (HTTP {answer.status}).", retry_after)
        if answer.status < 500:
            kind = OF_STATUS.get(answer.status, Refused)
            return kind(error.sentence, answer.status, error.code, retry_after, error.details)
        failure = (NotReachable if is_busy else GatewayError)(
            f"The gateway could not do it: {error.sentence}", retry_after
        )
        failure.details = error.details
        return failure


@dataclass(frozen=True)
class _Error:
    """The API's error body."""

    code: str
    sentence: str
    details: Mapping[str, Any]


def _headers(request: Request, token: str | None) -> dict[str, str]:
    headers = {"User-Agent": USER_AGENT, **request.headers}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if not request.is_stream:
        headers["Accept-Encoding"] = "gzip"
    if request.key is not None:
        headers["Idempotency-Key"] = request.key
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def _pauses() -> Iterator[float]:
    pause = 0.5
    while True:
        yield pause
        pause = min(pause * 2, LONGEST_PAUSE)


def _retry_after(answer: Response) -> float:
    seconds = answer.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() and seconds.isascii() else 0.0


def _error_of(answer: Response) -> _Error | None:
    """None when the body is no error of the API."""
    try:
        error = json.loads(answer.data)["error"]
        code, message, details = str(error["code"]), str(error["message"]), dict(error["details"])
    except (KeyError, TypeError, ValueError):
        return None
    return _Error(code, f"{_sentence(message, details)} ({code}).", details)


def _sentence(message: str, details: Mapping[str, Any]) -> str:
    if isinstance(fields := details.get("fields"), Mapping):
        message += ": " + "; ".join(f"{name}: {rule}" for name, rule in fields.items())
    if "existing_order_id" in details:
        message += f"; the order of this key is {details['existing_order_id']}"
    return message.rstrip(".")
