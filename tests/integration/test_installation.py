"""The one row of the whole database: a key that never changes, and a hold that is told once."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.store import installation
from pulse_core.trading.store.installation import Hold
from pulse_core.trading.tables import Installation
from tests.support.servers import as_owner

pytestmark = pytest.mark.usefixtures("clean_database")


def test_the_key_is_the_same_for_every_process() -> None:
    first = installation.client_order_id_key()
    installation.forget_key()

    assert installation.client_order_id_key() == first
    assert len(first) == 32


def test_tables_that_came_without_a_key_get_one() -> None:
    with as_owner() as connection:
        connection.execute(delete(Installation))
    installation.forget_key()

    first = installation.client_order_id_key()
    installation.forget_key()

    assert installation.client_order_id_key() == first


def test_a_hold_keeps_its_first_reason_and_begins_anew_with_each_further_one() -> None:
    now = utcnow()
    later = now + timedelta(minutes=1)
    first, another = HoldCode.CLAIMS_WERE_LOST, HoldCode.ANOTHER_DATABASE
    with db.transaction() as session:
        is_new = [installation.hold(session, code, at) for code, at in ((first, now), (another, later))]
        held, is_held = installation.held(session), session.scalar(select(installation.is_held()))
        was_held = [installation.release(session), installation.release(session)]

        assert (is_new, held, is_held) == ([True, False], Hold(later, first, first.meaning), True)
        assert (was_held, installation.held(session)) == ([True, False], None)
        assert session.scalar(select(installation.is_held())) is False
