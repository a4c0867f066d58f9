"""A minute of everything at once, on the whole stack, at two exchanges that speak two protocols."""

import logging
from pathlib import Path

import pytest

from tests.rigs.chaos.exchanges import BROKERS
from tests.rigs.chaos.plan import CLOCK_FAULTS, PACKET_FAULTS
from tests.rigs.chaos.run import Run


@pytest.mark.timeout(600)
def test_a_minute_of_everything_breaks_no_promise(tmp_path: Path) -> None:
    # On a busy machine it takes longer: here only the promises count, `make chaos` looks at the time too.
    run = Run(7, 40, "*", keep_in=tmp_path, say=logging.getLogger(__name__).info, final_within=240)

    summary = run.carry_out()

    assert summary["violations"] == [], summary
    assert summary["process_faults"] >= 5
    assert summary["exchange_faults"] >= 1
    assert summary["slices"] >= 100
    assert {*summary["orders_by_account"]} == {one.account for one in BROKERS["both"]}
    for some in (PACKET_FAULTS, CLOCK_FAULTS):
        assert {*some} & {*summary["faults_by_kind"], *summary["left_out"]}
