"""Keys that seal and sign are changed while everything goes on: the old one opens until nothing needs it any more."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from api_contract.errors import InvalidRequest, InvalidState
from api_contract.ids import ORDER_ID
from api_contract.scopes import Role
from pulse_core import config, cursors, db
from pulse_core.clock import utcnow
from pulse_core.events import webhook_secrets, webhooks
from pulse_core.identity import accounts
from pulse_core.identity.sessions import log_in
from pulse_core.sealing import Unreadable
from pulse_ops.cli import main
from tests.support.factories import an_account
from tests.support.second_factors import a_phone

Change = Callable[..., None]
PASSWORD = "a password that is long"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, clean_database: str) -> Iterator[Change]:
    """Set keys, as a process has them that was started with these."""

    def give(variable: str, *keys: str) -> None:
        monkeypatch.setenv(variable, ",".join(keys))
        config.settings.cache_clear()

    yield give
    monkeypatch.undo()
    config.settings.cache_clear()


def reseal(exit_code: int = 0) -> str:
    told = CliRunner().invoke(main, ["keys", "reseal"])
    assert told.exit_code == exit_code, told.output
    return told.stderr


def signing(webhook_id: str) -> list[str]:
    """The secrets that sign a delivery now, the newest first."""
    with db.transaction() as session:
        row = session.execute(
            text("SELECT sealed_secret, previous_secret, previous_secret_until FROM webhooks WHERE id = :id"),
            {"id": webhook_id},
        ).one()
    return list(webhook_secrets.secrets_of(webhook_id, *row, utcnow()))


def test_webhooks_sign_on_while_their_key_is_changed(given: Change) -> None:
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    given("PULSE_WEBHOOK_KEY", old)
    account, now = an_account(), utcnow()
    rolled, derived = (webhooks.add_webhook(account, f"https://{name}.example", now) for name in ("one", "two"))
    webhooks.roll_secret(account, rolled.webhook.id, now, timedelta(hours=1))
    with db.transaction() as session:
        session.execute(text("UPDATE webhooks SET sealed_secret = NULL WHERE id = :id"), {"id": derived.webhook.id})
    ids = rolled.webhook.id, derived.webhook.id
    before = list(map(signing, ids))
    assert list(map(len, before)) == [2, 1]

    given("PULSE_WEBHOOK_KEY", new, old)
    assert list(map(signing, ids)) == before
    assert "2 of webhooks sealed" in reseal()
    assert "0 of webhooks sealed" in reseal()
    given("PULSE_WEBHOOK_KEY", new)
    assert list(map(signing, ids)) == before

    given("PULSE_WEBHOOK_KEY", secrets.token_urlsafe(32))
    with pytest.raises(Unreadable):
        signing(rolled.webhook.id)
    assert f"No key of PULSE_WEBHOOK_KEY opens that of {rolled.webhook.id}." in reseal(exit_code=1)


def test_second_factors_go_on_while_their_key_is_changed(given: Change) -> None:
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    given("PULSE_TOTP_KEY", old)
    now = utcnow()
    account = accounts.add_account("asha", PASSWORD, Role.TRADER, now)
    phone = a_phone(account.id, now)

    def enter(later: int) -> None:
        at = now + timedelta(minutes=later)
        log_in("asha", PASSWORD, "127.0.0.1", at, proof=phone.proof(at))

    given("PULSE_TOTP_KEY", new, old)
    enter(1)
    assert "1 of second factors sealed" in reseal()
    given("PULSE_TOTP_KEY", new)
    enter(2)

    given("PULSE_TOTP_KEY", old)
    with pytest.raises(InvalidState, match="another PULSE_TOTP_KEY"):
        enter(3)


def test_cursors_that_were_given_out_lead_on_while_their_key_is_changed(given: Change) -> None:
    old, new, order_id = secrets.token_urlsafe(32), secrets.token_urlsafe(32), "ord_01M8GZ0YEPDXNHRE9WPZ3H9Q8H"
    given("PULSE_CURSOR_KEY", old)
    cursor = cursors.encode(order_id, "orders")

    given("PULSE_CURSOR_KEY", new, old)
    assert cursors.decode(cursor, "orders", ORDER_ID) == order_id
    newer = cursors.encode(order_id, "orders")

    given("PULSE_CURSOR_KEY", new)
    assert cursors.decode(newer, "orders", ORDER_ID) == order_id
    with pytest.raises(InvalidRequest):
        cursors.decode(cursor, "orders", ORDER_ID)
