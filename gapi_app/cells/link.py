"""Calls to pulse in one cell: bounded in time, an answer only when it gave one, repeated only if of another time."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError
from urllib3.exceptions import TimeoutError as TimedOut

from api_contract.errors import ServiceUnavailable
from api_contract.scopes import Caller
from api_contract.service_tokens import service_token
from api_contract.tracing import trace_headers
from gapi_app import clock
from gapi_app.cells.directory import Cell
from gapi_app.clock import PulseTime
from gapi_app.config import Settings
from gapi_app.errors import Refused, UpstreamError, UpstreamTimeout
from gapi_app.idempotency import key_headers, note_replay
from gapi_app.preconditions import note_etag, precondition_headers

_PASSED_ON = frozenset({400, 403, 404, 409, 410, 412, 422, 428, 429})
_MAX_ANSWER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """What is asked of pulse, `path` with its query; `patience_seconds`: None for that of the settings."""

    method: str
    path: str
    who: Caller
    expected: Collection[int]
    body: Mapping[str, Any] | None = None
    patience_seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """What the pulse of a cell said."""

    status: int
    body: dict[str, Any]
    cell: Cell


class Link:
    """The way to one cell. `is_away`: whether the latest look for news there found nobody."""

    def __init__(self, cell: Cell, settings: Settings, cell_clock: PulseTime) -> None:
        self.cell = cell
        self.is_away = False
        self._clock = cell_clock
        self._answer_timeout = settings.pulse_answer_timeout
        self._connect_timeout = settings.pulse_connect_timeout
        # Of one server: a manager of pools would look up which one it is for every request.
        self._pool = urllib3.connection_from_url(cell.url, maxsize=64)

    def ask(self, call: Call) -> Answer:
        """The answer, if it is one of those expected. Raises PulseError."""
        answer = self._send(call)
        if _is_of_another_time(answer):
            # Refused before anything was done, with the right time in the answer.
            answer = self._send(call)
        if _is_of_another_time(answer):
            raise UpstreamError("the clocks of the gateway and of pulse differ")
        if answer.status in call.expected:
            return answer
        if answer.status == 503:
            raise _unavailable(refusal_of(answer.body))
        if answer.status in _PASSED_ON and (refusal := refusal_of(answer.body)):
            raise Refused(answer.status, **refusal)
        raise UpstreamError("pulse gave an answer that makes no sense here")

    def clock_ahead(self) -> float | None:
        """How many seconds this machine's clock is ahead of the cell's; None while it has not told its time."""
        return self._clock.ahead()

    def _send(self, call: Call) -> Answer:
        data = b"" if call.body is None else json.dumps(call.body).encode()
        token = service_token(self.cell.key, call.who, call.method, call.path, data, self._clock.now())
        headers = trace_headers() | key_headers(call.who, call.method) | precondition_headers(call.who, call.method)
        headers["Authorization"] = f"Bearer {token}"
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        patience_seconds = call.patience_seconds or self._answer_timeout
        deadline = time.monotonic() + patience_seconds
        try:
            response = self._pool.urlopen(
                call.method,
                call.path,
                body=None if call.body is None else data,
                headers=headers,
                timeout=urllib3.Timeout(connect=self._connect_timeout, read=patience_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            note_replay(response.headers)
            note_etag(response.headers)
            self._clock.learn(response.headers.get(clock.HEADER), is_certain=response.status == 401)
            with response:
                if response.status == 204:
                    return Answer(204, {}, self.cell)
                told = _read(cast("urllib3.HTTPResponse", response), deadline)
                return Answer(response.status, _object(told), self.cell)
        except (NewConnectionError, NameResolutionError):
            raise ServiceUnavailable("orders cannot be served at the moment", {"missing": ["pulse"]}) from None
        except TimedOut:
            raise UpstreamTimeout("pulse did not answer in time; what was asked may have been done") from None
        except HTTPError:
            raise UpstreamError("pulse broke off its answer") from None


def _read(response: urllib3.HTTPResponse, deadline: float) -> bytes:
    # The read timeout bounds each packet; a trickle of them must not hold the client longer.
    body = b""
    while chunk := response.read1(65_536):
        body += chunk
        if time.monotonic() > deadline:
            raise TimedOut
        if len(body) > _MAX_ANSWER_BYTES:
            raise UpstreamError("pulse gave too long an answer")
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise UpstreamError("pulse gave an answer that cannot be read") from None
    if not isinstance(value, dict):
        raise UpstreamError("pulse gave an answer that cannot be read")
    return value


def _unavailable(refusal: Mapping[str, Any]) -> ServiceUnavailable:
    details = refusal.get("details", {})
    # What pulse has no place for, it says in words that are for the client.
    message = refusal["message"] if "busy" in details else "orders cannot be served at the moment"
    return ServiceUnavailable(message, details)


def _is_of_another_time(answer: Answer) -> bool:
    return answer.status == 401 and "clock_off_seconds" in refusal_of(answer.body).get("details", {})


def refusal_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The code, message and details of an answer that is an error; empty for any other."""
    error = body.get("error")
    shape = {"code": str, "message": str, "details": dict}
    if not isinstance(error, dict) or not all(isinstance(error.get(name), kind) for name, kind in shape.items()):
        return {}
    return {name: error[name] for name in shape}
