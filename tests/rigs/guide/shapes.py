"""How an answer that a page shows is compared with the real one.

Names, types, statuses and figures must be the same. Ids, instants, prices and the numbers of events may differ, and in
lines of text all numbers; but an id that the page shows twice must be one id in the answers, too. "..." ends what is
shown of a string or a line, and stands for further fields of an object or further elements of a list.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.rigs.guide.page import Answer

Varying = tuple[tuple[re.Pattern[str], str], ...]

MORE = "..."
# The last one is what the screen of the stack makes up as a key.
ID = re.compile(r"\b(?:(?:ord|sl|acc|key|whk|halt)_[0-9A-HJKMNP-TV-Z]{26}|try-\d{10})\b")
_VARIES: Varying = (
    (ID, "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"), "<instant>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<trace id>"),
    (re.compile(r'"[0-9a-f]{40}"'), "<etag>"),
    (re.compile(r"\b\d{16,20}\b"), "<broker's id>"),
    (re.compile(r"\b(?=[A-Z0-9]*\d)[A-Z0-9]{20}\b"), "<client order id>"),
    (re.compile(r"\b\d+\.\d+\b"), "<price>"),
)
_VARIES_IN_LINES: Varying = (
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?Z?"), "<time>"),
    *_VARIES,
    (re.compile(r"<price>|\b\d+\b"), "<number>"),
    (re.compile(r" +"), " "),
)
_NUMBERS_OF_EVENTS = {"event_id", "last_event_id", "next_after", "delivered_event_id", "late_ms"}


@dataclass
class Comparison:
    """`ids` says which real id each shown one stands for, as learned so far."""

    ids: dict[str, str] = field(default_factory=dict)

    def real(self, text: str) -> str:
        """The text with the ids that a person would have read from their own answers."""
        return ID.sub(lambda found: self.ids.get(found[0], found[0]), text)

    def differences(self, shown: Answer, output: str) -> list[str]:
        """What the output lacks or has otherwise; learns the ids when there is nothing."""
        pairs: dict[str, str] = {}
        compare = {"json": self._json, "http": self._http, "text": self._text}[shown.language]
        found = list(compare(shown.text, output.replace("\r", ""), pairs))
        if not found:
            self.ids |= pairs
        return found

    def _json(self, shown: str, output: str, pairs: dict[str, str]) -> Iterator[str]:
        try:
            real = json.loads(output)
        except ValueError:
            yield f"this is no JSON: {output}"
            return
        yield from self._values(json.loads(shown), real, "the answer", pairs)

    def _http(self, shown: str, output: str, pairs: dict[str, str]) -> Iterator[str]:
        shown_head, _, shown_body = shown.strip().partition("\n\n")
        head, _, body = output.strip().partition("\n\n")
        (shown_status, *shown_headers), (status, *headers) = shown_head.splitlines(), head.splitlines()
        if status != shown_status:
            yield f"the status is {status}, not {shown_status}"
        for line in shown_headers:
            if not any(self._is_same(line, one, pairs) for one in headers):
                yield f"no header {line}, but {headers}"
        if shown_body and not body:
            yield "there is no body"
        elif shown_body:
            yield from self._json(shown_body, body, pairs)

    def _text(self, shown: str, output: str, pairs: dict[str, str]) -> Iterator[str]:
        lines = map(str.rstrip, output.splitlines())
        for line in filter(None, shown.splitlines()):
            if not any(self._is_same(line, one, pairs, _VARIES_IN_LINES) for one in lines):
                yield f"no line like {line!r} at its place in\n{output}"
                return

    def _values(self, shown: Any, real: Any, where: str, pairs: dict[str, str]) -> Iterator[str]:
        if type(shown) is not type(real):
            yield f"{where} is {real!r}, not {shown!r}"
        elif isinstance(shown, dict):
            yield from self._objects(shown, real, where, pairs)
        elif isinstance(shown, list):
            yield from self._lists(shown, real, where, pairs)
        elif isinstance(shown, str):
            if not self._is_same(shown, real, pairs):
                yield f"{where} is {real!r}, not {shown!r}"
        elif shown != real:
            yield f"{where} is {real}, not {shown}"

    def _objects(self, shown: dict[str, Any], real: dict[str, Any], where: str, pairs: dict[str, str]) -> Iterator[str]:
        names = shown.keys() - {MORE}
        for name in names - real.keys():
            yield f"{where} has no {name}: {real}"
        if MORE not in shown:
            for name in real.keys() - names:
                yield f"{where} has {name}, which is not shown"
        for name in names & real.keys():
            if name in _NUMBERS_OF_EVENTS and type(shown[name]) is type(real[name]):
                continue
            yield from self._values(shown[name], real[name], f"{where}.{name}", pairs)

    def _lists(self, shown: list[Any], real: list[Any], where: str, pairs: dict[str, str]) -> Iterator[str]:
        kept = [one for one in shown if one != MORE]
        if len(real) < len(kept) or (len(real) > len(kept) and kept == shown):
            yield f"{where} has {len(real)} elements, not {len(kept)}: {real}"
        for number, (one, other) in enumerate(zip(kept, real, strict=False)):
            yield from self._values(one, other, f"{where}[{number}]", pairs)

    def _is_same(self, shown: str, real: str, pairs: dict[str, str], varies: Varying = _VARIES) -> bool:
        is_cut = shown.endswith(MORE)
        masked, found = _masked(shown.removesuffix(MORE), varies), _masked(real, varies)
        if not (found.startswith(masked) if is_cut else found == masked):
            return False
        learned = list(zip(ID.findall(shown), ID.findall(real), strict=False))
        known = self.ids | pairs
        if any(known.get(one, other) != other for one, other in learned):
            return False
        pairs.update(learned)
        return True


def _masked(text: str, varies: Varying) -> str:
    for pattern, word in varies:
        text = pattern.sub(word, text)
    return text
