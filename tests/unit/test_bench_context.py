"""The benchmark begins anew, whatever a row that failed has left."""

from pathlib import Path

from bench.context import Bench
from bench.sizes import QUICK


def test_after_a_failure_nothing_is_kept_not_even_the_folder(tmp_path: Path) -> None:
    bench = Bench(tmp_path, QUICK, lambda _line: None)
    bench.__dict__["servers"] = "of the row that failed"
    folders = [bench.folder]

    for _ in range(2):
        bench.start_over()
        folders.append(bench.folder)

    assert len(set(folders)) == 3
    assert all(folder.is_relative_to(tmp_path) for folder in folders)
    assert "servers" not in bench.__dict__
