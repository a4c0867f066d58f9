"""The rig's arithmetic; the floods themselves are run by `make attack`."""

import math
from random import Random

from tests.rigs.attack.floods import FLOODS, Target
from tests.rigs.attack.honest import Seen, percentile
from tests.rigs.attack.late_names import nothing_known
from tests.rigs.attack.table import Attack, table


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([float(number) for number in range(1, 101)], 0.99) == 100.0
    assert math.isnan(percentile([], 0.5))


def test_every_flood_asks_the_gateway_for_something() -> None:
    for following in FLOODS.values():
        call = following(Target(1, "token"), Random(1))
        assert call.path.startswith("/")
        assert call.method in ("GET", "POST")


def test_a_late_answer_is_that_the_name_is_not_known() -> None:
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" + b"\x01a\x07example\x00\x00\x01\x00\x01"
    answer = nothing_known(question)
    assert answer[:2] == question[:2]
    # An answer (the first bit), of code 3, with the one question and nothing else.
    assert (answer[2] >> 7, answer[3] & 15) == (1, 3)
    assert answer[4:12] == b"\x00\x01" + bytes(6)
    assert answer[12:] == question[12:]


def test_the_table_has_a_row_for_each_attack_beside_the_quiet_time() -> None:
    quiet, attacked = Seen(), Seen(refused=["cancel: 503"])
    for seen, seconds in ((quiet, 0.01), (attacked, 0.02)):
        seen.seconds["order"].append(seconds)
        seen.seconds["cancel"].append(seconds)
    lines = table([Attack("login flood", quiet, attacked, {401: 3, 503: 9})]).splitlines()
    assert lines[2] == "| quiet | 10, 10 | 10, 10 | 1.0, 1.0 | - | - | - |"
    assert lines[3] == "| login flood | 20, 20 | 20, 20 | 2.0, 2.0 | - | cancel: 503 | 401: 3, 503: 9 |"
    assert {line.count("|") for line in lines} == {8}
