"""Somebody who works through a page: types its commands, looks again where there is nothing yet, and compares."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from tests.rigs.guide.page import Answer, Example
from tests.rigs.guide.shapes import Comparison
from tests.rigs.guide.shell import Outcome, Shell
from tests.support.arena import Arena
from tests.support.processes import Processes, wait_until
from tests.support.stacks import Stack

PATIENCE_SECONDS = 60
TIMED_OUT = 28
REFUSAL = re.compile(r'"error": \{|^HTTP/1\.[01] [45]', re.MULTILINE)


@dataclass
class Reader:
    """`own_words` stand for what the page says about addresses and passwords; ids are those of the answers."""

    stack: Stack
    shell: Shell
    own_words: dict[str, str]
    comparison: Comparison = field(default_factory=Comparison)

    def follow(self, example: Example) -> None:
        """Run an example, or save its file. Fails when the answer is not what the page shows."""
        if example.language == "python":
            self.shell.folder.joinpath(file_name(example)).write_text(self._in_own_words(example.text))
            return
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while found := list(self._problems(example, self.run(example.text))):
            is_over = time.monotonic() > ends_at or not example.is_repeatable
            assert not is_over, f"{example}\n" + "\n".join(found)
            time.sleep(0.5)

    def run(self, commands: str) -> Outcome:
        return self.shell.run(self._in_own_words(commands))

    def differences(self, shown: Answer, outcome: Outcome) -> list[str]:
        """What the commands have answered otherwise than shown; lines of text are those of a terminal."""
        told = outcome.stderr if shown.language == "text" else ""
        expected = Answer(shown.language, self._in_own_words(shown.text))
        return self.comparison.differences(expected, told + outcome.stdout)

    def let_a_minute_pass(self) -> None:
        """As far as the order in $ORDER can tell, which misses none of its slices meanwhile."""
        order_id = self.shell.run("echo $ORDER").stdout.strip()
        environment = self.stack.state.environment
        arena = Arena(Processes(self.shell.folder, environment), environment, account="")
        wait_until(partial(arena.is_split, order_id), PATIENCE_SECONDS, "the slices of the order")
        while (left := arena.time_to_next_slice(order_id)) is not None:
            arena.make_due(order_id, by=max(left, timedelta(0)))
            time.sleep(0.1)

    def _in_own_words(self, text: str) -> str:
        for shown, own in self.own_words.items():
            text = text.replace(shown, own)
        return self.comparison.real(text)

    def _problems(self, example: Example, outcome: Outcome) -> Iterator[str]:
        shown = self._in_own_words(example.answer.text) if example.answer else ""
        is_cut_off = outcome.exit_code == TIMED_OUT and "--max-time" in example.text
        if outcome.exit_code and not is_cut_off:
            yield f"exit code {outcome.exit_code}"
        for line in outcome.stderr.splitlines():
            if line not in shown:
                yield f"on stderr: {line}"
        refused = [status for status in outcome.statuses if status >= 400]
        if refused and not REFUSAL.search(shown):
            yield f"answered {refused}: {outcome.stdout}"
        if example.answer is not None:
            yield from self.differences(example.answer, outcome)
        elif outcome.stdout:
            yield f"the page does not show the answer {outcome.stdout}"


def file_name(example: Example) -> str:
    """A file of a page says in its first line what it is called."""
    named = re.match(r"# (\w+\.py)\b", example.text)
    assert named is not None, f"without the name of a file: {example}"
    return named[1]
