"""The whole product in one command: `pulse demo` starts a stack, trades, compares with the exchange and ends it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.stacks import PULSE, environment_for, processes_of


@pytest.mark.timeout(240)
def test_an_order_goes_in_over_http_and_comes_out_filled_as_the_exchange_says(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [PULSE, "demo", "--quantity", "103", "--json"]
    demo = subprocess.run(command, env=environment_for(data_dir), capture_output=True, text=True, timeout=220)
    assert demo.returncode == 0, demo.stderr
    report = json.loads(demo.stdout)
    assert report["agrees"]
    assert report["order"]["result"] == "FILLED"
    assert [one["status"] for one in report["slices"]] == ["FILLED"] * 5
    assert sum(one["exchange"]["filled_quantity"] for one in report["slices"]) == 103
    assert all(len(one["exchange"]["order_ids"]) == 1 for one in report["slices"])
    assert all(one["late_ms"] >= 0 for one in report["slices"])
    assert "DONE, FILLED: 103 of 103 filled" in demo.stderr
    assert processes_of(data_dir) == []
