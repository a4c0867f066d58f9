"""The deliberate defects still fit the source, name tests that exist, and stand in the page as they are."""

import ast
from pathlib import Path

import pytest

from tests.rigs.chaos.test_failpoints import POINTS
from tests.rigs.mutants.apply import changed
from tests.rigs.mutants.defect import Defect
from tests.rigs.mutants.defects import DEFECTS
from tests.rigs.mutants.page import failpoint_table, table
from tests.rigs.mutants.turns import sample

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reliability-checks.md"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_a_defect_can_be_put_into_the_source_as_it_is(defect: Defect) -> None:
    for change in defect.changes:
        defective = changed((ROOT / change.path).read_text(), change)
        assert ast.parse(defective) if change.path.endswith(".py") else defective


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_tests_that_catch_a_defect_exist(defect: Defect) -> None:
    for test in defect.caught_by:
        path, _, name = test.partition("::")
        functions = [node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if hasattr(node, "name")]
        assert name in functions


@pytest.mark.parametrize("size", [1, 6, 7, 1000])
def test_each_defect_has_its_turn_and_no_sample_is_larger_than_asked_for(size: int) -> None:
    samples = [sample(DEFECTS, size, turn) for turn in range(5, 5 + len(DEFECTS))]

    assert {one.what for found in samples for one in found} == {one.what for one in DEFECTS}
    assert all(0 < len(found) <= size for found in samples)


def test_there_are_at_least_ten_defects_and_each_has_its_check() -> None:
    assert len(DEFECTS) >= 10
    assert all(defect.caught_by for defect in DEFECTS)


def test_the_page_shows_the_defects_and_the_failpoints_as_they_are() -> None:
    page = PAGE.read_text()

    assert table() in page
    assert failpoint_table(POINTS) in page
