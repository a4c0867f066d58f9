"""`pulse webhooks` on a real database."""

import json

import pytest
from click.testing import CliRunner, Result

from pulse_core.clock import utcnow
from pulse_core.events import webhooks
from pulse_ops.cli import main
from tests.support.factories import an_account

URL = "https://93.184.216.34/events"


@pytest.fixture
def meera(clean_database: str) -> str:
    return an_account()


def pulse(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_webhooks_are_listed_disabled_enabled_and_removed(meera: str) -> None:
    made = webhooks.add_webhook(meera, URL, utcnow())
    [shown] = json.loads(pulse("webhooks", "list", "--user", meera.lower(), "--json").stdout)["webhooks"]
    assert (shown["webhook_id"], shown["status"], shown["url"]) == (made.webhook.id, "PENDING", URL)

    for deed, status in (("disable", "DISABLED"), ("enable", "PENDING")):
        assert pulse("webhooks", deed, made.webhook.id).exit_code == 0
        listed = pulse("webhooks", "list").stdout
        assert status in listed
        assert made.secret not in listed
    assert pulse("webhooks", "remove", made.webhook.id).exit_code == 0
    assert webhooks.list_webhooks(meera) == []


def test_what_cannot_be_done_is_one_sentence(meera: str) -> None:
    for deed in ("disable", "enable", "remove"):
        result = pulse("webhooks", deed, "whk_01J00000000000000000000000")
        assert (result.exit_code, result.stdout) == (4, "")
        assert "there is no such webhook" in result.stderr
