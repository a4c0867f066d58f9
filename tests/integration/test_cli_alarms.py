"""`pulse alarms` on a real database."""

import getpass
import json
import re
from pathlib import Path

from click.testing import CliRunner, Result

from pulse_core.trading import inbox
from pulse_core.trading.alarms import AlarmCode
from pulse_ops.cli import main
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_split_order, an_alarm, slices_of

NO_ALARM = "alm_01M83H5T3ZC6N2GQ1W9J8X4K7B"


def alarms(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["alarms", *arguments])


def test_an_operator_works_through_the_inbox(broker: SimulatedBroker) -> None:
    first = slices_of(a_split_order())[0]
    alarm_id = an_alarm(first, AlarmCode.DAY_OVER, client_order_id="C1")
    [listed] = json.loads(alarms("list", "--code", "day_over", "--json").stdout)["alarms"]
    noted = alarms("note", alarm_id, "asked the broker")
    taken = alarms("acknowledge", alarm_id, "--json")
    done = alarms("resolve", alarm_id, NO_ALARM)

    assert (listed["alarm_id"], listed["slice_id"], listed["occurrences"]) == (alarm_id, first.id, 1)
    assert noted.stdout.split() == [alarm_id, "OPEN"]
    assert json.loads(taken.stdout) == [{"alarm_id": alarm_id, "result": "ACKNOWLEDGED", "reason": None}]
    assert (done.exit_code, done.stdout.splitlines()[0].split()) == (4, [alarm_id, "RESOLVED"])
    assert f"{NO_ALARM}  refused: there is no alarm" in done.stdout
    assert inbox.alarm_history(alarm_id).alarm.resolved_by == f"{getpass.getuser()} (command line)"

    assert json.loads(alarms("list", "--json").stdout) == {"alarms": [], "next_cursor": None}
    shown = alarms("show", alarm_id).stdout
    assert re.search(r"client_order_id +C1\n", shown)
    assert [what in shown for what in ("alarm.raised", "alarm.noted", "alarm.resolved")] == [True] * 3


def test_lists_go_on_by_cursor_and_a_wrong_call_says_what_is_wrong(broker: SimulatedBroker) -> None:
    for one in slices_of(a_split_order())[:2]:
        an_alarm(one)
    page = alarms("list", "--limit", "1")
    both = alarms("list", "--status", "open", "--all")
    empty = alarms("note", NO_ALARM, " ")

    assert re.search(r"There are more: --cursor \S+", page.stderr)
    assert (both.exit_code, "cannot be combined" in both.stderr) == (2, True)
    assert (empty.exit_code, "refused: note must have 1 to 500" in empty.stdout) == (4, True)


def test_status_counts_what_is_not_resolved(broker: SimulatedBroker, tmp_path: Path) -> None:
    first, second, third, *_ = slices_of(a_split_order())
    an_alarm(first)
    taken, done = an_alarm(second, AlarmCode.DAY_OVER), an_alarm(third)
    alarms("acknowledge", taken)
    alarms("resolve", done)

    def status(*arguments: str) -> str:
        return CliRunner().invoke(main, ["status", *arguments], env={"PULSE_DATA_DIR": str(tmp_path)}).stdout

    assert "\nAlarms    2 open (pulse alarms list)\n" in status()
    assert json.loads(status("--json"))["open_alarms"] == 2
