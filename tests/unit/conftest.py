"""The command line in front of a gateway that speaks the contract."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pulse_ops.cli import main
from tests.support.gateway import PASSWORD, USERNAME, FakeGateway, Pulse, fake_gateway


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with fake_gateway() as running:
        yield running


@pytest.fixture
def variables(gateway: FakeGateway, tmp_path: Path) -> dict[str, str]:
    return {
        "PULSE_GATEWAY_URL": gateway.url,
        "PULSE_USERNAME": USERNAME,
        "PULSE_PASSWORD": PASSWORD,
        "PULSE_DATA_DIR": str(tmp_path / "no stack here"),
    }


@pytest.fixture
def pulse(variables: dict[str, str]) -> Pulse:
    def run(*arguments: str, said: str | None = None, **changes: str | None) -> Result:
        return CliRunner().invoke(main, arguments, env=variables | changes, input=said)

    return run
