"""The guide of the API, followed by hand: every example runs on a whole stack and answers as the page says."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pulse_core.stack.ports import free_port
from tests.arena import Arena
from tests.guide.page import Answer, Example, examples
from tests.guide.shapes import Comparison
from tests.guide.shell import Outcome, Shell, shell
from tests.processes import Processes
from tests.stacks import Stack, environment_for, running_stack

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "api.md"
PATIENCE_SECONDS = 20
TIMED_OUT = 28
REFUSAL = re.compile(r'"error": \{|^HTTP/1\.[01] [45]', re.MULTILINE)

# Commands of the guide that this test does not run, by how they begin, and why.
NOT_RUN = {
    "PULSE_WEBHOOK_ALLOW_HTTP=true": "starts the stack until Ctrl-C; the stack here was started with these settings",
}
# What passes before the first example under a heading.
MEANWHILE: dict[str, Callable[["Reader"], None]] = {"How an order ends": lambda reader: reader.let_a_minute_pass()}


@dataclass
class Reader:
    """Somebody who works through the page, with an address and a password of their own."""

    stack: Stack
    shell: Shell
    own_words: dict[str, str]
    comparison: Comparison = field(default_factory=Comparison)

    def follow(self, example: Example) -> None:
        text = self._in_own_words(example.text)
        if example.language == "python":
            self.shell.folder.joinpath(file_name(example)).write_text(text)
            return
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while found := self._differences(example, self.shell.run(text)):
            is_over = time.monotonic() > ends_at or not example.is_repeatable
            assert not is_over, f"{example}\n" + "\n".join(found)
            time.sleep(0.5)

    def let_a_minute_pass(self) -> None:
        """As far as the page's first order can tell."""
        order_id = self.shell.run("echo $ORDER").stdout.strip()
        environment = self.stack.state.environment
        Arena(Processes(self.shell.folder, environment), environment, account="").make_due(order_id)

    def _in_own_words(self, text: str) -> str:
        for shown, own in self.own_words.items():
            text = text.replace(shown, own)
        return self.comparison.real(text)

    def _differences(self, example: Example, outcome: Outcome) -> list[str]:
        return [*self._failures(example, outcome), *self._wrong_answers(example, outcome)]

    def _failures(self, example: Example, outcome: Outcome) -> Iterator[str]:
        is_cut_off = outcome.exit_code == TIMED_OUT and "--max-time" in example.text
        if outcome.exit_code and not is_cut_off:
            yield f"exit code {outcome.exit_code}"
        shown = self._in_own_words(example.answer.text) if example.answer else ""
        for line in outcome.stderr.splitlines():
            if line not in shown:
                yield f"on stderr: {line}"
        refused = [status for status in outcome.statuses if status >= 400]
        if refused and not REFUSAL.search(shown):
            yield f"answered {refused}: {outcome.stdout}"

    def _wrong_answers(self, example: Example, outcome: Outcome) -> Iterator[str]:
        if example.answer is None:
            if outcome.stdout:
                yield f"the page does not show the answer {outcome.stdout}"
            return
        shown = Answer(example.answer.language, self._in_own_words(example.answer.text))
        told = outcome.stderr if shown.language == "text" else ""
        yield from self.comparison.differences(shown, told + outcome.stdout)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("guide")
    allowed = {"PULSE_WEBHOOK_ALLOW_HTTP": "true", "PULSE_WEBHOOK_ALLOW_PRIVATE": "true"}
    # What is answered matters here, not how soon a busy machine does.
    patient = {"PULSE_ANSWER_TIMEOUT": "20"}
    with running_stack(folder, environment_for(folder) | allowed | patient) as started:
        yield started


@pytest.fixture
def reader(stack: Stack, tmp_path: Path) -> Iterator[Reader]:
    state = stack.state
    assert state.demo_password is not None
    own_words = {
        "http://127.0.0.1:8000": state.urls["gapi"],
        "http://127.0.0.1:8002": state.urls["exchange"],
        "9000": str(free_port()),
        "VWr_tkzRTxRB6qqtP1w9": state.demo_password,
    }
    with shell(tmp_path, {"PULSE_DATA_DIR": str(stack.data_dir)}) as opened:
        yield Reader(stack, opened, own_words)


def file_name(example: Example) -> str:
    """A file of the guide says in its first line what it is called."""
    named = re.match(r"# (\w+\.py)\b", example.text)
    assert named is not None, f"without the name of a file: {example}"
    return named[1]


@pytest.mark.timeout(240)
def test_every_example_of_the_guide_does_what_the_page_says(reader: Reader) -> None:
    heading = ""
    for example in examples(GUIDE):
        if example.text.startswith(tuple(NOT_RUN)):
            continue
        if example.heading != heading and example.heading in MEANWHILE:
            MEANWHILE[example.heading](reader)
        heading = example.heading
        reader.follow(example)


def test_every_file_of_the_guide_is_run_and_every_exception_is_needed() -> None:
    found = examples(GUIDE)
    commands = "".join(one.text for one in found if one.language == "sh")
    assert all(f"python3 {file_name(one)}" in commands for one in found if one.language == "python")
    assert all(any(one.text.startswith(start) for one in found) for start in NOT_RUN)
    assert {one.heading for one in found} >= MEANWHILE.keys()
