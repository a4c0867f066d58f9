"""The time as a gateway learns it from pulse's answers."""

from dataclasses import dataclass, field

import pytest
from flask import Flask
from pydantic import SecretStr

from api_contract import instants
from api_contract.errors import Unauthorized
from gapi_app import clock
from gapi_app.access.signing import load_keys
from gapi_app.access.tokens import AccessTokens
from gapi_app.clock import ALARM_AGAIN_AFTER, BELIEVED_SECONDS, PulseTime

EPOCH = 1_800_000_000.0
ACCOUNT_ID = "acc_01J00000000000000000000000"


@dataclass
class Machine:
    steady: float = 1000.0
    wall_ahead: float = 0.0
    said: list[float] = field(default_factory=list)

    def steadily(self) -> float:
        return self.steady

    def wall(self) -> float:
        return EPOCH + self.steady + self.wall_ahead

    def told(self, late: float = 0.0, ahead: float = 0.0) -> str:
        """What pulse told this long ago."""
        return str(round((EPOCH + self.steady - late + ahead) * 1000))

    def error(self, _event: str, seconds: float) -> None:
        self.said.append(seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(clock, "log", machine)
    return machine


@pytest.fixture
def time(machine: Machine) -> PulseTime:
    return PulseTime(machine.steadily, machine.wall)


def off(time: PulseTime, machine: Machine) -> float:
    return time.now() - EPOCH - machine.steady


def test_until_pulse_has_told_it_the_machines_time_is_taken(time: PulseTime, machine: Machine) -> None:
    machine.wall_ahead = 7.0
    assert off(time, machine) == pytest.approx(7, abs=0.001)


@pytest.mark.parametrize("ahead", [-3600.0, -60.0, 4.0, 60.0])
def test_pulses_time_goes_on_whatever_the_machine_shows(time: PulseTime, machine: Machine, ahead: float) -> None:
    machine.wall_ahead = ahead
    time.learn(machine.told())
    machine.steady += 3
    machine.wall_ahead += 100
    assert off(time, machine) == pytest.approx(0, abs=0.001)


def test_an_answer_that_was_long_on_its_way_is_believed_only_where_there_was_no_other_of_late(
    time: PulseTime, machine: Machine
) -> None:
    time.learn(machine.told(late=0.01))
    time.learn(machine.told(late=3))
    assert off(time, machine) == pytest.approx(-0.01, abs=0.001)
    machine.steady += BELIEVED_SECONDS
    time.learn(machine.told(late=0.5))
    assert off(time, machine) == pytest.approx(-0.5, abs=0.001)


def test_a_refusal_for_its_time_is_believed_at_once(time: PulseTime, machine: Machine) -> None:
    time.learn(machine.told())
    time.learn(machine.told(ahead=-60), is_certain=True)
    assert off(time, machine) == pytest.approx(-60, abs=0.001)


@pytest.mark.parametrize("told", [None, "", "soon", "1e12", "-1800000000000", "1" * 99, "\u0661" * 13])
def test_what_makes_no_sense_tells_nothing(time: PulseTime, machine: Machine, told: str | None) -> None:
    time.learn(told, is_certain=True)
    assert off(time, machine) == pytest.approx(0, abs=0.001)


def test_a_machine_that_is_off_is_said_once_until_it_is_right_again(time: PulseTime, machine: Machine) -> None:
    for seconds, ahead in ((0, 60.0), (3, 60.0), (3, 0.0), (3, 60.0), (3, 0.0), (ALARM_AGAIN_AFTER, -5.0)):
        machine.steady += seconds
        machine.wall_ahead = ahead
        time.learn(machine.told())
    assert machine.said == [pytest.approx(60, abs=0.01), pytest.approx(-5, abs=0.01)]


@pytest.mark.parametrize("ahead", [-60.0, -4.0, 4.0, 60.0])
def test_the_token_of_one_gateway_is_believed_by_another_with_a_different_clock(machine: Machine, ahead: float) -> None:
    off, right = (PulseTime(machine.steadily, machine.wall) for _ in range(2))
    (app, here), (_, there) = a_gateway(off), a_gateway(right)
    machine.wall_ahead = ahead
    if abs(ahead) > instants.LEEWAY_SECONDS:
        off.learn(machine.told())
    with app.app_context():
        text = here.issue(ACCOUNT_ID, "trader", "ses_1", 1)
    machine.wall_ahead = 0.0
    assert there.read(text).caller.account_id == ACCOUNT_ID


def test_a_token_is_good_until_its_end_and_five_seconds_more(machine: Machine, time: PulseTime) -> None:
    app, tokens = a_gateway(time)
    with app.app_context():
        text = tokens.issue(ACCOUNT_ID, "trader", "ses_1", 1)
    machine.steady += 904.9
    tokens.read(text)
    machine.steady += 0.2
    with pytest.raises(Unauthorized, match="expired"):
        tokens.read(text)


def a_gateway(time: PulseTime) -> tuple[Flask, AccessTokens]:
    app, keys = Flask("tokens"), load_keys(SecretStr("a key for tests, of more than 32 bytes!"), None)
    return app, AccessTokens(app, keys, 900, time)
