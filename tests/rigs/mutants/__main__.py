"""Apply each deliberate defect to a copy of the source and see that its tests fail: `python -m tests.rigs.mutants`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import click

from tests.rigs.chaos.test_failpoints import POINTS
from tests.rigs.mutants.apply import applied
from tests.rigs.mutants.defect import STATE_MACHINE, Defect
from tests.rigs.mutants.defects import DEFECTS
from tests.rigs.mutants.page import failpoint_table, table
from tests.rigs.mutants.turns import sample

ROOT = Path(__file__).parents[3]
PACKAGES = ("api_contract", "gapi_app", "pulse_app", "pulse_client", "pulse_core", "pulse_ops", "pulse_tasks")
COPIED = (*PACKAGES, "tests", "celeryconfig.py", "setup.cfg")


@dataclass(frozen=True)
class Verdict:
    """Whether one test noticed one defect, and what it said."""

    defect: Defect
    test: str
    is_caught: bool
    seconds: float
    output: str


@click.command(help=__doc__)
@click.option("--page", is_flag=True, help="Only print the tables for docs/reliability-checks.md.")
@click.option("--only", default="", help="Only defects whose description contains this.")
@click.option("--sample", "size", default=0, help="Only so many of them, by turns; 0: all.")
@click.option("--turn", default=0, help="Whose turn it is: the next number takes the next ones.")
@click.option("--quick", is_flag=True, help="Without the state machine, which may look for minutes.")
@click.option("--jobs", default=2, help="How many defects are judged at once.")
def main(page: bool, only: str, size: int, turn: int, quick: bool, jobs: int) -> None:
    if page:
        click.echo(f"{table()}\n\n{failpoint_table(POINTS)}")
        return
    chosen = sample([one for one in DEFECTS if only in one.what], size, turn)
    if quick:
        chosen = [replace(one, caught_by=tuple(t for t in one.caught_by if t != STATE_MACHINE)) for one in chosen]
    with tempfile.TemporaryDirectory(prefix="pulse-mutants-") as folder:
        verdicts = judge(chosen, Path(folder), jobs)
    sys.exit(report(verdicts))


def judge(defects: list[Defect], folder: Path, jobs: int) -> list[Verdict]:
    """Each defect in a copy of its own, `jobs` at once."""
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(jobs):
        copies.put(copy_of_the_source(folder / str(number)))
    healthy = copies.get()
    check_healthy(healthy, sorted({test for defect in defects for test in defect.caught_by}))
    copies.put(healthy)

    def run(defect: Defect) -> list[Verdict]:
        copy = copies.get()
        try:
            with applied(defect, copy):
                return verdicts_on(defect, copy)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(jobs) as pool:
        return [say(one) for found in pool.map(run, defects) for one in found]


def copy_of_the_source(folder: Path) -> Path:
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    return folder


def check_healthy(copy: Path, tests: list[str]) -> None:
    """Without a defect every one of the tests passes, in the copy and of its code."""
    ended = python(copy, "-c", "import pulse_core; print(pulse_core.__file__)")
    assert ended.stdout.startswith(str(copy)), f"the copy is not what is imported: {ended.stdout}{ended.stderr}"
    ended = pytest(copy, *tests, STATEFUL_EXAMPLES="10")
    assert ended.returncode == 0, f"the tests fail without any defect:\n{ended.stdout}"


def verdicts_on(defect: Defect, copy: Path) -> list[Verdict]:
    """All of its tests in one run; each must fail by itself."""
    started = time.monotonic()
    # The state machine may look long, for it ends at the first failure; a shorter way there is of no interest.
    output = pytest(copy, *defect.caught_by, STATEFUL_EXAMPLES="300", STATEFUL_SHRINK="no").stdout
    seconds = time.monotonic() - started
    failed = re.findall(r"^FAILED (\S+?)(?:\[| |$)", output, re.MULTILINE)
    return [Verdict(defect, test, test in failed, seconds, output) for test in defect.caught_by]


def pytest(copy: Path, *tests: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return python(copy, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *tests, **variables)


def python(copy: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    # Compiled files could outlive the defect they were made of: two changes within a second look alike.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def say(one: Verdict) -> Verdict:
    word = "caught" if one.is_caught else "SURVIVED"
    click.echo(f"{word:9}{one.seconds:5.0f} s  {one.defect.what}: {one.test.rpartition('::')[2]}")
    return one


def report(verdicts: list[Verdict]) -> int:
    """Sum up; 1 when a defect was not noticed by a test that should have."""
    survivors = [one for one in verdicts if not one.is_caught]
    for one in survivors:
        click.echo(f"\n{one.defect.what}: {one.test}\n{one.output[-3000:]}", err=True)
    click.echo(
        f"{len({one.defect.what for one in verdicts})} defects, {len(verdicts)} checks, {len(survivors)} survived"
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    main()
