"""A client of the event streams that checks their form on the way."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.contract.client import Account, Service, check_answer


@dataclass
class OpenStream:
    """`last_event_id` is what a client would resume from; `heartbeats` counts the comments."""

    answer: requests.Response
    last_event_id: int = -1
    heartbeats: int = 0
    _blocks: Iterator[list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._blocks = self._read()
        assert next(self._blocks)[0].startswith("retry: ")

    def take(self, count: int) -> list[dict[str, Any]]:
        """The next so many events."""
        return [event for _, event in zip(range(count), self.events(), strict=False)]

    def events(self) -> Iterator[dict[str, Any]]:
        """Events until the stream ends."""
        for block in self._blocks:
            if block == [":"]:
                self.heartbeats += 1
                continue
            names = dict(line.split(": ", 1) for line in block)
            event = json.loads(names["data"])
            assert (names["id"], names["event"]) == (str(event["event_id"]), event["type"])
            yield event

    def beat(self) -> None:
        """Wait for the next heartbeat; an event that comes first is an error."""
        assert next(self._blocks) == [":"]

    def _read(self) -> Iterator[list[str]]:
        block: list[str] = []
        for line in self.answer.iter_lines(chunk_size=1, decode_unicode=True):
            if line:
                block.append(line)
                if line.startswith("id: "):
                    self.last_event_id = int(line[4:])
                continue
            yield block
            block = []


@contextmanager
def stream(
    gapi: Service, path: str, account: Account | None, headers: dict[str, str] | None = None, **claims: Any
) -> Iterator[OpenStream]:
    """`claims` change the account's token; without an account `headers` bring one."""
    token = gapi.bearer(gapi.token(account, **claims)) if account else {}
    with requests.get(gapi.url + path, headers={**token, **(headers or {})}, stream=True, timeout=30) as answer:
        check_answer(answer)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream"), answer.text
        assert answer.headers["Cache-Control"] == "no-store"
        opened = OpenStream(answer)
        yield opened
