"""The table of defects and checks, as it stands in docs/reliability-checks.md."""

from tests.mutants.defects import DEFECTS, STATE_MACHINE


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
