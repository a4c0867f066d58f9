"""The tables of the benchmark, made from its results."""

import io
from typing import Any

from rich.console import Console

from bench.figures import Figure, Reach, Row, Rule, Spread
from bench.table import cpu_table, figure_lines, markdown, print_results

MACHINE = {
    "cores": 2, "memory_gb": 23.5, "load_before": [0.1, 0.2, 0.3], "load_after": [1, 2, 3], "system": "Linux",
    "python": "3.11.7", "postgres": "postgres 18", "commit": "abc1234",
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    made = Row("accept", "Orders accepted", operation="order", floor="two bare apps")
    made.figures.append(
        Figure("orders", "1/s", Spread((1000, 1200)), Spread((2000, 2000)), Reach(Rule.TIMES_AT_LEAST, 0.75))
    )
    made.cpu_ms = {"product": {"gapi": 1.5, "pulse": 3.0, "beat": 0.0}, "floor": {"front": 0.7}}
    made.notes.append("measured at night")
    return made.as_json() | changes


def results(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"machine": MACHINE, "is_quick": True, "started_at": "now", "seconds": 170.2, "rows": list(rows)}


def test_a_line_shows_figure_floor_ratio_and_whether_the_reach_was_met() -> None:
    assert list(figure_lines(row())) == [
        ("orders", "1/s", "1,100 (1,000..1,200)", "2,000", "0.55 (0.5..0.6)", "at least 0.75 x floor", "NO", "2")
    ]


def test_processes_stand_by_their_cost_and_idle_ones_are_left_out() -> None:
    header, lines = cpu_table(row())

    assert header == ("CPU ms per order", "floor", "product")
    assert lines == [("pulse", "-", "3"), ("gapi", "-", "1.5"), ("front", "0.7", "-")]


def test_the_page_for_the_docs_has_every_row() -> None:
    page = markdown(results(row(), row(title="Splitting", failed="gapi ended by itself")))

    assert page.startswith("2 cores, 23.5 GB")
    assert "### Orders accepted\n\nFloor: two bare apps." in page
    assert "| orders | 1/s | 1,100 (1,000..1,200) | 2,000 |" in page
    assert "- measured at night" in page
    assert "### Splitting\n\nNot measured: gapi ended by itself." in page


def test_a_row_without_time_says_so_on_the_terminal() -> None:
    console = Console(file=io.StringIO(), width=120)

    print_results(results(row(), {"key": "tables", "title": "Tables", "left_out": "time is up"}), console)

    assert isinstance(console.file, io.StringIO)
    assert "not measured: time is up" in console.file.getvalue()
