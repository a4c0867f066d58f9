"""What the doctor makes of the rows of processes."""

from dataclasses import replace

import pytest

from pulse_ops.doctor.findings import Trouble
from pulse_ops.doctor.processes import Reported, code_agrees, each_goes_on, settings_agree

ALIVE = Reported("worker-control", "back-1", 7, "0.1.0", "0039", "d" * 64, {"PULSE_LEASE": "30.0"}, 0.0, None, 600, 2)
GONE = replace(ALIVE, seen_seconds=60)
FLOWER = replace(GONE, kind="flower", host="front-1", schema_revision=None, shared_settings=None)
GAPI = replace(FLOWER, kind="gapi")
PULSE = replace(ALIVE, kind="pulse")


@pytest.mark.parametrize(
    ("silent", "writer", "trouble"),
    [
        (FLOWER, ALIVE, Trouble.FLOWER_AWAY),
        (FLOWER, replace(ALIVE, kind="worker"), Trouble.FLOWER_AWAY),
        (FLOWER, GONE, None),
        (FLOWER, PULSE, None),
        (GAPI, PULSE, Trouble.GATEWAY_AWAY),
        (GAPI, ALIVE, None),
    ],
)
def test_who_is_written_down_by_another_is_missed_only_while_that_one_lives(
    silent: Reported, writer: Reported, trouble: Trouble | None
) -> None:
    [found] = [one for one in each_goes_on([silent, writer]) if one.check == silent.kind]
    assert found.trouble is trouble
    if trouble is None:
        assert found.verdict.startswith("not known: no ")


def test_what_reaches_no_database_is_made_for_no_revision_and_has_no_shared_settings() -> None:
    gateway = replace(GAPI, seen_seconds=1, settings_digest="e" * 64)

    assert list(code_agrees([ALIVE, gateway], "0039")) == []
    assert [one.verdict for one in settings_agree([ALIVE, gateway])] == ["are the same in all processes"]
