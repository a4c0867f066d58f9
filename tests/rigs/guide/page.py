"""A page as a test reads it: commands in their order, each with the answer that is shown below it."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ANSWERS = ("json", "http", "text")
# A block may stand in a list, and even behind the number of its step.
_FENCE = re.compile(
    r"^ *(?:\d+\. )?```(?P<language>\w*)\n(?P<text>.*?)^ *```$|^#+ (?P<heading>[^\n]+)$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Answer:
    """`language` is json, http for an answer with its headers, or text for lines."""

    language: str
    text: str


@dataclass(frozen=True)
class Example:
    """A block of commands (sh) or a file to save (python), and where it stands."""

    heading: str
    line: int
    language: str
    text: str
    answer: Answer | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it only looks, so that a person would look again until there is something to see."""
        looks = re.match(r"(curl -s|cat )", self.text) is not None
        return looks and re.search(r" -X | -d |--max-time", self.text) is None

    def __str__(self) -> str:
        return f"line {self.line}, under {self.heading!r}:\n{self.text}"


class UnknownBlock(Exception):
    """A block that is neither a command nor the answer to one."""


def examples(page: Path, under: str = "") -> list[Example]:
    """Every example of a page, or those under one heading. Raises UnknownBlock."""
    found: list[Example] = []
    for one in _blocks(page.read_text()):
        if under and one.heading != under:
            continue
        if one.language in ANSWERS and found and found[-1].language == "sh" and found[-1].answer is None:
            found[-1] = Example(**{**vars(found[-1]), "answer": Answer(one.language, one.text)})
            continue
        if one.language not in ("sh", "python"):
            raise UnknownBlock(str(one))
        found.append(one)
    return found


def _blocks(text: str) -> Iterator[Example]:
    heading = ""
    for match in _FENCE.finditer(text):
        if match["heading"]:
            heading = match["heading"]
            continue
        yield Example(heading, text[: match.start()].count("\n") + 1, match["language"], textwrap.dedent(match["text"]))
