"""Somebody who runs an installation by a page: its commands as they stand there, with what is his own put in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pulse_ops.stack import binaries
from tests.rigs.guide.page import Example
from tests.rigs.guide.shell import Outcome, Shell, shell

PATIENCE_SECONDS = 400


@dataclass
class Operator:
    """`own_words` stand for what the page says: folders, passwords, addresses, instants."""

    shell: Shell
    own_words: dict[str, str] = field(default_factory=dict)

    def follow(self, *steps: Example) -> Outcome:
        """Run blocks, none of whose commands may fail; what the last one said."""
        for step in steps:
            outcome = self.shell.run("set -e\n" + self._in_own_words(step.text), PATIENCE_SECONDS)
            assert outcome.exit_code == 0, f"{step}\n{outcome}"
        return outcome

    def _in_own_words(self, text: str) -> str:
        for shown, own in self.own_words.items():
            text = text.replace(shown, own)
        return text


@contextmanager
def an_operator(
    folder: Path, variables: Mapping[str, str], own_words: Mapping[str, str] | None = None
) -> Iterator[Operator]:
    """At a terminal in this folder, which ends with the block."""
    with shell(folder, variables) as opened:
        yield Operator(opened, dict(own_words or {}))


def own_words_for(page: Path, words: dict[str, str]) -> dict[str, str]:
    """The same words. Fails where the page no longer says one: its commands would work on this machine itself."""
    unsaid = [word for word in words if word not in page.read_text()]
    assert not unsaid, f"{page} does not say {unsaid}"
    return words


def as_superuser(url: str, *programs: str) -> dict[str, str]:
    """Own words for the programs of Postgres that a page has run by `postgres`, who comes in at this URL here."""
    return {f"sudo -u postgres {name}": f"{binaries.postgres_bin() / name} -d '{url}'" for name in programs}
