"""`pulse halt`, `pulse halts` and `celery -A pulse_tasks halt` on a real database, with Redis out of reach."""

import getpass
import json
import subprocess
from collections.abc import Mapping

import pytest
from click.testing import CliRunner, Result

from api_contract.vocabulary import SliceStatus
from pulse_core.trading.slice.execute import execute_slice
from pulse_ops.cli import main
from pulse_ops.stack.processes import executable
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, slices_of

WHY = ("--reason", "prices make no sense")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def as_operators_run_it(environment: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    redis_is_down = {**environment, "PULSE_QUEUE_URL": "redis://127.0.0.1:1/0"}
    return subprocess.run(executable(command), env=redis_is_down, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", [("celery", "-A", "pulse_tasks"), ("pulse",)], ids=["celery", "pulse"])
def test_an_operator_halts_everything_and_releases_it(
    broker: SimulatedBroker, environment: dict[str, str], command: tuple[str, ...]
) -> None:
    first = slices_of(a_split_order())[0]

    made = as_operators_run_it(environment, *command, "halt", "--all", *WHY, "--json")
    halt = json.loads(made.stdout)
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.SCHEDULED
    released = as_operators_run_it(environment, *command, "halt", "release", halt["halt_id"], "--json")

    assert (halt["status"], halt["reason"], halt["is_quiet"]) == ("ACTIVE", "prices make no sense", True)
    assert halt["made_by"] == f"{getpass.getuser()} (command line)"
    assert f"{halt['halt_id']} halts everything." in made.stderr
    assert json.loads(released.stdout)["status"] == "RELEASED"
    execute_slice(first.id)
    assert a_slice(first.id).status is SliceStatus.WORKING


def test_a_halt_is_listed_and_shown_with_its_slices(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    made = run("halt", "--instrument", "NSE:RELIANCE", "--no-follow", *WHY)
    again = run("halt", "--instrument", "NSE:RELIANCE", "--no-follow", *WHY)
    [listed] = json.loads(run("halts", "--json").stdout)["halts"]
    halt_id = listed["halt_id"]
    working = json.loads(run("halt", "show", halt_id, "--state", "working", "--json").stdout)["slices"]

    assert "halts NSE:RELIANCE" in made.stderr
    assert "halts already NSE:RELIANCE" in again.stderr
    assert listed["slices"]["WORKING"]["count"] == 1
    assert [one["slice_id"] for one in working] == [first.id]
    shown = run("halt", "show", halt_id).stdout
    assert "prices make no sense" in shown
    assert "planned, and held until the release" in shown
    assert halt_id in run("halts").stdout
    unsent = run("halt", "show", halt_id, "--state", "UNSENT", "--limit", "2")
    assert "There are more: --cursor" in unsent.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--all",), 2, "Say why"),
        (WHY, 2, "Name what is halted"),
        (("--all", "--instrument", "NSE:INFY", *WHY), 2, "Name what is halted"),
        (("--instrument", "INFY", *WHY), 4, "instrument must be EXCHANGE:SYMBOL"),
        (("--broker-account", "nowhere", *WHY), 4, "there is no such broker account"),
        (("--all", "--reason", " "), 4, "reason must have 1 to 200"),
        (("release", "halt_1"), 4, "there is no such halt"),
        (("show", "halt_1"), 4, "there is no such halt"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    broker: SimulatedBroker, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found = run("halt", *arguments)

    assert (found.exit_code, said in found.stderr) == (code, True)
    assert json.loads(run("halts", "--all", "--json").stdout)["halts"] == []
