"""The guide of the API, followed by hand: every example runs on a whole stack and answers as the page says."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulse_ops.stack.ports import free_port
from tests.rigs.guide.page import Answer, examples
from tests.rigs.guide.reader import Reader, file_name
from tests.rigs.guide.shell import shell
from tests.support.processes import wait_until
from tests.support.stacks import Stack, environment_for, running_stack

ROOT = Path(__file__).parents[2]
GUIDE, README = ROOT / "docs" / "api.md", ROOT / "README.md"
CLIENT = ROOT / "docs" / "python-client.md"
# Commands of the guide that are not run here, by how they begin, and why.
NOT_RUN = {
    "PULSE_WEBHOOK_ALLOW_HTTP=true": "starts the stack until Ctrl-C; the stack here was started with these settings",
}
# What passes before the first example under a heading.
MEANWHILE: dict[str, Callable[[Reader], None]] = {
    "How an order ends": Reader.let_a_minute_pass,
    "Follow it": Reader.let_a_minute_pass,
}


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


@pytest.mark.timeout(240)
@pytest.mark.parametrize("page", [GUIDE, CLIENT], ids=lambda page: page.stem)
def test_every_example_of_a_page_does_what_it_says(reader: Reader, page: Path) -> None:
    heading = ""
    for example in examples(page):
        if example.text.startswith(tuple(NOT_RUN)):
            continue
        if example.heading != heading and example.heading in MEANWHILE:
            MEANWHILE[example.heading](reader)
        heading = example.heading
        reader.follow(example)


@pytest.mark.timeout(180)
def test_the_commands_of_the_readme_trade_as_it_shows(stack: Stack, reader: Reader) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    _screen, placed, transcript = (text for language, text in blocks if not language)
    wait_until(lambda: "Then watch it" in stack.text(), what="the screen")
    printed = stack.text().partition("(paste both commands):")[2].partition("Then watch it")[0]
    assert reader.differences(Answer("json", placed), reader.run(printed)) == []
    reader.run(f"ORDER={json.loads(placed)['order_id']}")
    reader.let_a_minute_pass()
    for part in transcript.removeprefix("$ ").split("\n$ "):
        command, _, shown = part.partition("\n")
        # What is seen of an order on its way depends on when one looks.
        certain = shown.splitlines()[-1] if " watch " in command else shown
        assert reader.differences(Answer("text", certain), reader.run(command)) == []


def test_every_file_of_the_pages_is_run_and_every_exception_is_needed() -> None:
    found = [*examples(GUIDE), *examples(CLIENT)]
    commands = "".join(one.text for one in found if one.language == "sh")
    assert all(f"python3 {file_name(one)}" in commands for one in found if one.language == "python")
    assert all(any(one.text.startswith(start) for one in found) for start in NOT_RUN)
    assert {one.heading for one in found} >= MEANWHILE.keys()
