"""Whom the order commands talk to when a stack runs here: its folder says where it is and who its demo user is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pulse_ops.cli import main
from pulse_ops.stack import lock, running
from pulse_ops.stack.running import RunningStack
from tests.support.gateway import PASSWORD, USERNAME, FakeGateway, fake_gateway

Start = Callable[..., None]


@pytest.fixture
def stack_state(gateway: FakeGateway) -> RunningStack:
    return RunningStack(
        supervisor_pid=1,
        started_at=0,
        is_ready=True,
        urls={"gapi": gateway.url},
        demo_user=USERNAME,
        demo_password=PASSWORD,
        environment={},
        processes=[],
    )


@pytest.fixture
def starts(tmp_path: Path, stack_state: RunningStack) -> Iterator[Start]:
    """Lets a stack seem to run on `tmp_path`, as far as other programs can see."""
    with lock.only_stack_on(tmp_path):
        yield lambda **changes: running.save(tmp_path, stack_state.model_copy(update=changes))


def pulse(data_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", str(data_dir)])


def test_the_running_stack_is_found_with_its_demo_user(starts: Start, gateway: FakeGateway, tmp_path: Path) -> None:
    starts()
    order_id = gateway.add()
    assert order_id in pulse(tmp_path, "orders", "list").stdout


def test_the_demo_password_goes_to_no_other_gateway(starts: Start, tmp_path: Path) -> None:
    starts()
    with fake_gateway() as other:
        assert pulse(tmp_path, "orders", "list", "--gateway", other.url).exit_code == 2
        assert other.seen == []


def test_a_stack_that_is_still_starting_is_said_to_be(starts: Start, tmp_path: Path) -> None:
    starts(is_ready=False, demo_user=None, demo_password=None)
    result = pulse(tmp_path, "orders", "list")
    assert result.exit_code == 3
    assert "still starting" in result.stderr


def test_the_demo_does_not_trade_with_real_money(starts: Start, gateway: FakeGateway, tmp_path: Path) -> None:
    starts(demo_user=None, demo_password=None)
    result = pulse(tmp_path, "demo")
    assert result.exit_code == 1
    assert "paper exchange only" in result.stderr
    assert gateway.seen == []


def test_what_opens_the_accounts_at_brokers_is_not_printed(starts: Start, tmp_path: Path) -> None:
    kept_back = ("PULSE_VAULT_KEYS", "KITE_ACCESS_TOKEN", "KITE_API_SECRET", "ALPACA_API_SECRET")
    starts(environment={"DATABASE_URL": "postgresql://here"} | {name: f"secret-of-{name}" for name in kept_back})
    told = pulse(tmp_path, "env").stdout
    assert told == "export DATABASE_URL=postgresql://here\n"
