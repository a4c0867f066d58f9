"""The results as tables: for a terminal, and as Markdown for the docs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

FIGURES = ("what", "unit", "product", "floor", "ratio", "reach", "reached", "runs")
_SHOWN_CPU_MS = 0.005


def print_results(results: Mapping[str, Any], console: Console) -> None:
    """Everything that a person reads."""
    console.print(machine_line(results))
    for row in results["rows"]:
        console.print(f"\n[bold]{row['title']}[/bold]")
        if why := why_not(row):
            console.print(f"  not measured: {why}")
            continue
        console.print(f"  floor: {row['floor']}")
        console.print(_rich_table(FIGURES, figure_lines(row)))
        if row["cpu_ms"]:
            console.print(_rich_table(*cpu_table(row)))
        for note in row["notes"]:
            console.print(f"  - {note}")


def markdown(results: Mapping[str, Any]) -> str:
    """The same for the docs."""
    parts = [machine_line(results)]
    for row in results["rows"]:
        parts.append(f"### {row['title']}")
        if why := why_not(row):
            parts.append(f"Not measured: {why}.")
            continue
        parts.append(f"Floor: {row['floor']}.")
        parts.append(_markdown_table(FIGURES, figure_lines(row)))
        if row["cpu_ms"]:
            parts.append(_markdown_table(*cpu_table(row)))
        if row["notes"]:
            parts.append("\n".join(f"- {note}" for note in row["notes"]))
    return "\n\n".join(parts) + "\n"


def why_not(row: Mapping[str, Any]) -> str | None:
    """What kept a row from being measured."""
    return row.get("failed") or row.get("left_out")


def machine_line(results: Mapping[str, Any]) -> str:
    facts = results["machine"]
    before, after = (" ".join(map(str, facts[name])) for name in ("load_before", "load_after"))
    size = "quick run" if results["is_quick"] else "full run"
    return (
        f"{facts['cores']} cores, {facts['memory_gb']} GB, load before {before} and after {after}, {facts['system']}, "
        f"Python {facts['python']}, {facts['postgres']}; {size} of {results['started_at']}, "
        f"{results['seconds']:.0f} s, commit {facts['commit']}"
    )


def figure_lines(row: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """One line for each figure."""
    for one in row["figures"]:
        reached = {True: "yes", False: "NO", None: "-"}[one["is_reached"]]
        spreads = (_spread(one[name]) for name in ("product", "floor", "ratio"))
        yield (one["name"], one["unit"], *spreads, one["reach"] or "-", reached, str(one["runs"]))


def cpu_table(row: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines: CPU milliseconds for each operation, a line for each process."""
    costs = row["cpu_ms"]
    sides = sorted(costs)
    most = {name: max(one.get(name, 0) for one in costs.values()) for one in costs.values() for name in one}
    names = [name for name in sorted(most, key=lambda name: -most[name]) if most[name] >= _SHOWN_CPU_MS]
    lines = [(name, *(_number(costs[side][name]) if name in costs[side] else "-" for side in sides)) for name in names]
    return (f"CPU ms per {row['operation']}", *sides), lines


def _spread(spread: Mapping[str, Any] | None) -> str:
    if spread is None:
        return "-"
    middle = _number(spread["median"])
    if spread["min"] == spread["max"]:
        return middle
    return f"{middle} ({_number(spread['min'])}..{_number(spread['max'])})"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _rich_table(header: Sequence[str], lines: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> Table:
    table = Table(*header)
    for line in lines:
        table.add_row(*line)
    return table


def _markdown_table(header: Sequence[str], lines: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
