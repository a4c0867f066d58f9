"""Which of the defects are put into the source when there is time for a few only."""

from collections.abc import Sequence

from tests.rigs.mutants.defect import Defect


def sample(defects: Sequence[Defect], size: int, turn: int) -> list[Defect]:
    """`size` of the defects, 0 for all: from turn to turn the next ones, so that each has its turn.

    Neighbours are alike, and some take minutes: one sample has them from all over the table.
    """
    if not 0 < size < len(defects):
        return list(defects)
    rounds = -(-len(defects) // size)
    return list(defects[turn % rounds :: rounds])
