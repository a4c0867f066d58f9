"""What Postgres is told to do in our sessions is in force there."""

import pytest
from sqlalchemy import text

from pulse_core import db
from pulse_core.sending_fence import fence_together

pytestmark = pytest.mark.usefixtures("clean_database")

SETTINGS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    "TimeZone": "UTC",
    "synchronous_commit": "on",
    # By these a server gives up a client that vanished; over a Unix socket they would be 0.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "12000",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_in_force_in_transactions_and_on_a_fence(name: str) -> None:
    show = text(f"SHOW {name}")

    with db.transaction() as session:
        assert session.scalar(show) == SETTINGS[name]
    with fence_together(["sl_1"]) as fence, fence.statement() as connection:
        assert connection.scalar(show) == SETTINGS[name]


def test_a_role_that_commits_without_waiting_for_the_disk_waits_in_our_sessions() -> None:
    with db.statement() as connection:
        connection.execute(text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
    try:
        db.engine().dispose()
        with db.transaction() as session:
            assert session.scalar(text("SHOW synchronous_commit")) == "on"
    finally:
        with db.statement() as connection:
            connection.execute(text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))


def test_how_many_connections_a_process_keeps_is_not_said_too_late() -> None:
    with db.statement() as connection:
        connection.execute(text("SELECT 1"))

    with pytest.raises(RuntimeError, match="before it was told"):
        db.keep_to(3)
