"""Put a defect into a copy of the source and take it out again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.mutants.defect import Change, Defect


@contextmanager
def applied(defect: Defect, root: Path) -> Iterator[None]:
    """The source below `root` has the defect for as long as the block lasts."""
    before = {root / change.path: (root / change.path).read_text() for change in defect.changes}
    try:
        for change in defect.changes:
            path = root / change.path
            path.write_text(changed(path.read_text(), change))
        yield
    finally:
        for path, text in before.items():
            path.write_text(text)


def changed(text: str, change: Change) -> str:
    """The text with the change. Raises ValueError unless the old text stands there exactly once."""
    found = text.count(change.old)
    if found != 1:
        raise ValueError(f"{change.path} has {found} places, not one, with: {change.old}")
    return text.replace(change.old, change.new)
