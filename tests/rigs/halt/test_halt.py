"""The rig that halts an installation, with few slices and a broker that is quick."""

import logging
from pathlib import Path

import pytest

from tests.rigs.halt.rush import KILLED_AT, Rush
from tests.support.floor import running_floor

SLICES, RATE = 100, 50


@pytest.mark.timeout(400)
def test_a_halt_is_carried_out_whoever_dies_and_nothing_new_is_sent(
    clean_database: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with running_floor(environment, tmp_path, RATE) as floor:
        figures = Rush(floor, SLICES, RATE, logging.getLogger(__name__).info, KILLED_AT[:1]).carry_out()

    assert figures.wrong == []
    assert (figures.kills, figures.working >= SLICES) == (1, True)
