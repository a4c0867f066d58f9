"""The tables of defects and of failpoints, as they stand in docs/reliability-checks.md."""

from collections.abc import Sequence

from tests.rigs.chaos.test_failpoints import Point
from tests.rigs.mutants.defect import STATE_MACHINE
from tests.rigs.mutants.defects import DEFECTS


def table() -> str:
    """Markdown, one row for each defect."""
    rows = ["| Deliberate defect | Caught by |", "|---|---|"]
    for defect in DEFECTS:
        checks = "<br>".join(_words(test) for test in defect.caught_by)
        rows.append(f"| {defect.what} | {checks} |")
    return "\n".join(rows)


def _words(test: str) -> str:
    if test == STATE_MACHINE:
        return "**state machine**"
    path, _, name = test.partition("::")
    return f"`{path.rpartition('/')[2]}`: {name.removeprefix('test_').replace('_', ' ')}"


def failpoint_table(points: Sequence[Point]) -> str:
    """Markdown, one row for each failpoint, with the orders that were in play when a process died there."""
    stories: dict[tuple[str, str], list[str]] = {}
    for point in points:
        stories.setdefault((point.name, point.kind), []).append(point.words)
    rows = [f"| `{name}` | {kind} | {'; '.join(words)} |" for (name, kind), words in stories.items()]
    return "\n".join(["| Failpoint | Process killed | Orders in play |", "|---|---|---|", *rows])
