"""The database goes up and down, ends as the models say, and survives two migrations at once."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing import get_context
from uuid import uuid4

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, insert, text
from sqlalchemy.engine import Engine

from api_contract.errors import InvalidState
from api_contract.scopes import Role
from api_contract.vocabulary import OrderStatus, OrderType, Side
from pulse_core import db, migrations
from pulse_core.brokers.port import Refused
from pulse_core.clock import utcnow
from pulse_core.db import psycopg2_url
from pulse_core.events.names import EventKind
from pulse_core.identity.tables import Account
from pulse_core.schema import METADATA
from pulse_core.trading.alarms import HoldCode
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.store import events, installation
from pulse_core.trading.store.events import Event
from pulse_core.trading.tables import Order
from pulse_ops.cli import main
from tests.support import servers
from tests.support.broker import SimulatedBroker, answer_with
from tests.support.factories import a_split_order, slices_of
from tests.support.servers import RunningPostgres

DEFINITIONS = """
    SELECT rel.relname, con.conname, pg_get_constraintdef(con.oid)
      FROM pg_constraint con JOIN pg_class rel ON rel.oid = con.conrelid
     WHERE con.connamespace = 'public'::regnamespace AND rel.relname <> 'alembic_version'
    UNION ALL
    SELECT relname, 'storage', option FROM pg_class, unnest(reloptions) AS option
     WHERE relnamespace = 'public'::regnamespace AND option LIKE 'fillfactor=%'
    UNION ALL
    SELECT tablename, indexname, indexdef FROM pg_indexes
     WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    UNION ALL
    SELECT table_name, column_name,
           concat_ws(' ', data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable,
                     is_identity, identity_generation, column_default)
      FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""


@pytest.fixture
def new_database(postgres: RunningPostgres) -> Iterator[Engine]:
    name = f"migrated_{uuid4().hex}"
    with closing(psycopg2.connect(postgres.url("postgres"))) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    engine = create_engine(psycopg2_url(postgres.url(name)))
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def definitions(engine: Engine) -> set[tuple[str, str, str]]:
    """Every column, constraint and index with its definition as Postgres states it."""
    with engine.connect() as connection:
        return {(row[0], row[1], row[2]) for row in connection.execute(text(DEFINITIONS))}


def tables(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return set(rows.scalars()) - {"alembic_version"}


def test_up_down_to_nothing_and_up_again(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    first = definitions(new_database)
    migrations.downgrade(url_of(new_database), "base")

    assert (tables(new_database), migrations.current(url_of(new_database))) == (set(), None)

    migrations.upgrade(url_of(new_database))

    assert definitions(new_database) == first
    assert migrations.current(url_of(new_database)) == migrations.head()


def test_migrating_a_migrated_database_changes_nothing(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    before = definitions(new_database)
    migrations.upgrade(url_of(new_database))

    assert definitions(new_database) == before


def test_the_migrated_database_is_what_the_models_say(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))

    with new_database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_every_column_check_and_index_is_defined_as_in_the_models(
    new_database: Engine, postgres: RunningPostgres
) -> None:
    migrations.upgrade(url_of(new_database))
    migrated = definitions(new_database)
    migrations.downgrade(url_of(new_database), "base")
    METADATA.create_all(new_database)

    assert definitions(new_database) == migrated


def test_every_status_column_refuses_a_word_that_is_no_status(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    checks = {(table, name) for table, name, definition in definitions(new_database) if "CHECK" in definition}

    assert {
        ("orders", "ck_orders_status"),
        ("order_slices", "ck_order_slices_status"),
        ("placements", "ck_placements_outcome"),
        ("slice_events", "ck_slice_events_kind"),
        ("accounts", "ck_accounts_role"),
    } <= checks


def test_limit_prices_keep_their_digits_and_the_table_is_not_rewritten_for_it(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database))
    add_limit_order(new_database, "2510.50")
    assert limit_prices(new_database) == ["2510.50"]

    migrations.downgrade(url_of(new_database), "0008")
    before = file_of_orders(new_database)
    migrations.upgrade(url_of(new_database))

    assert file_of_orders(new_database) == before
    assert limit_prices(new_database) == ["2510.5"]


def add_limit_order(engine: Engine, limit_price: str) -> None:
    now = datetime.now(UTC)
    account = {
        "id": "acc_1", "username": "meera", "password_hash": "none", "role": Role.TRADER, "is_active": True,
        "generation": 1,
    }  # fmt: skip
    order = {
        "id": "ord_1", "account_id": "acc_1", "order_unique_key": "key-1", "broker": "paper", "side": Side.BUY,
        "instrument": "NSE:RELIANCE", "total_quantity": 100, "num_splits": 5, "duration_minutes": 60, "seed": 1,
        "randomize": False, "order_type": OrderType.LIMIT, "limit_price": Decimal(limit_price), "trace": {},
        "status": OrderStatus.PENDING, "filled_quantity": 0, "start_at": now, "end_at": now + timedelta(hours=1),
    }  # fmt: skip
    with engine.begin() as connection:
        for model, row in ((Account, account), (Order, order)):
            connection.execute(insert(model), row | {"created_at": now, "updated_at": now})


def limit_prices(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT limit_price::text FROM orders")).scalars())


def file_of_orders(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_relation_filenode('orders')")).scalar_one())


def test_two_migrations_at_once_wait_for_each_other(new_database: Engine) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(migrations.upgrade, [url_of(new_database)] * 2))

    assert migrations.current(url_of(new_database)) == migrations.head()


# What alarms said before they had codes, to the letter.
SENTENCES = {
    "order taken for not placed is in the book": "TURNED_UP",
    "a claim that the database had lost was recorded again": "LOST_CLAIM",
    "two broker orders have one client order id": "DUPLICATE_ORDERS",
    "a working order is missing from the broker's book": "MISSING_FROM_BOOK",
    "the broker's book lacks orders that it acknowledged, and proves no absence": "BOOK_PROVES_NOTHING",
    "the broker's book shows no trace of an unknown slice: an operator must settle it": "LEFT_TO_OPERATORS",
    "the book of the day is closed on an unknown slice": "DAY_OVER",
    "the broker's day ended on a working slice, and its end was not seen": "END_UNSEEN",
    "fill after the end": "FILL_AFTER_END",
    "slice overfilled": "SLICE_OVERFILLED",
    "order overfilled": "ORDER_OVERFILLED",
    "the slice was lowered: its order had no room for all of it": "SLICE_LOWERED",
    "the slice is not sent: its order has no room for it": "NO_ROOM",
}


def raised(slice_id: str) -> list[tuple[str, str | None]]:
    # In words that tables of any revision know.
    found = "SELECT detail FROM slice_events WHERE slice_id = :slice_id AND kind = 'ALARM' ORDER BY id"
    with db.transaction() as session:
        return [(one["alarm"], one.get("code")) for one in session.scalars(text(found), {"slice_id": slice_id})]


def test_alarms_of_before_get_their_codes_by_their_sentences(broker: SimulatedBroker, clean_database: str) -> None:
    first = slices_of(a_split_order())[0]
    strange = "something that nobody says any more"
    with db.transaction() as session:
        sentences = [{"alarm": sentence} for sentence in (*SENTENCES, strange)]
        told = [Event(EventKind.ALARM, first.order_id, first.id, detail=detail) for detail in sentences]
        events.add_all(session, told, utcnow())
        events.add(session, EventKind.REQUEST, first.order_id, first.id, utcnow(), alarm="order overfilled")

    go_back_and_forth(clean_database)

    assert raised(first.id) == [*SENTENCES.items(), (strange, None)]
    requests = [one.detail for one in operations.slice_history(first.id).events if one.kind is EventKind.REQUEST]
    assert requests == [{"alarm": "order overfilled"}]


def test_a_hold_of_before_gets_its_code(clean_database: str) -> None:
    with db.transaction() as session:
        installation.hold(session, HoldCode.FIRST_LOOK, utcnow())

    go_back_and_forth(clean_database)

    with db.transaction() as session:
        held = installation.held(session)
        installation.release(session)
    assert held is not None
    assert held.code is HoldCode.FIRST_LOOK


def test_an_attempt_that_turned_up_before_alarms_had_codes_still_keeps_its_slice_from_being_retried(
    broker: SimulatedBroker, clean_database: str
) -> None:
    broker.answers = [answer_with(Refused("MarginException", "not enough funds"))]
    first = slices_of(a_split_order())[0]
    execute_slice(first.id)
    broker.enter(broker.placements[0])
    broker.cancel = broker.cancels.append  # type: ignore[method-assign]
    reconcile(utcnow())
    migrations.downgrade(servers.owner_url(clean_database), "0008")
    assert raised(first.id) == [("order taken for not placed is in the book", None)]

    servers.upgrade(clean_database)

    assert raised(first.id) == [("order taken for not placed is in the book", "TURNED_UP")]
    with pytest.raises(InvalidState, match="attempt 1 of it may be live"):
        operations.retry_slice(first.id, "ops", utcnow())


def test_whoever_could_trade_with_a_live_account_of_before_keeps_doing_so(new_database: Engine) -> None:
    migrations.upgrade(url_of(new_database), "0024")
    live = {"viewer": Role.VIEWER, "trader": Role.TRADER, "operator": Role.OPERATOR, "admin": Role.ADMIN}
    for number, (username, role) in enumerate([*live.items(), ("gone", Role.TRADER), ("demo", Role.TRADER)]):
        add_account(new_database, f"acc_{number}", username, role, is_active=username != "gone")
    add_order(new_database, "acc_1", "zerodha")
    add_order(new_database, "acc_0", "paper")

    migrations.upgrade(url_of(new_database))

    with new_database.connect() as connection:
        rows = connection.execute(text(GRANTED)).all()
    assert [(row.username, row.broker_account) for row in rows] == [
        ("admin", "zerodha"),
        ("operator", "zerodha"),
        ("trader", "zerodha"),
    ]


GRANTED = """
    SELECT accounts.username, broker_grants.broker_account
      FROM broker_grants JOIN accounts ON accounts.id = broker_grants.account_id
     ORDER BY accounts.username
"""
_ACCOUNT = """
    INSERT INTO accounts (id, username, password_hash, role, is_active, generation, created_at, updated_at)
    VALUES (:id, :username, 'none', :role, :is_active, 1, now(), now())
"""
_ORDER = """
    INSERT INTO orders (id, account_id, order_unique_key, broker, instrument, side, total_quantity, num_splits,
                        duration_minutes, randomize, seed, status, filled_quantity, start_at, end_at, created_at,
                        updated_at, trace)
    VALUES (:id, :account_id, :id, :broker, 'NSE:SBIN', 'BUY', 10, 2, 5, false, 1, 'PENDING', 0, now(),
            now() + interval '5 minutes', now(), now(), '{}')
"""


def add_account(engine: Engine, account_id: str, username: str, role: Role, *, is_active: bool) -> None:
    row = {"id": account_id, "username": username, "role": role.value, "is_active": is_active}
    with engine.begin() as connection:
        connection.execute(text(_ACCOUNT), row)


def add_order(engine: Engine, account_id: str, broker: str) -> None:
    row = {"id": f"ord_{broker}", "account_id": account_id, "broker": broker}
    with engine.begin() as connection:
        connection.execute(text(_ORDER), row)


def go_back_and_forth(database_url: str) -> None:
    migrations.downgrade(servers.owner_url(database_url), "0008")
    servers.upgrade(database_url)


def test_a_table_in_use_holds_up_the_migration_and_nobody_else(
    new_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.upgrade(url_of(new_database), "0036")
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0.0)
    with new_database.connect() as user:
        user.execute(text("SELECT count(*) FROM installation"))
        migrations.upgrade(url_of(new_database), held_up=user.rollback)
    assert migrations.current(url_of(new_database)) == migrations.head()


def test_going_back_is_asked_for_and_names_what_it_undoes(new_database: Engine) -> None:
    url = url_of(new_database)
    migrations.upgrade(url)

    def back(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["migrate", "--down", *arguments], env={"DATABASE_URL": url})

    asked = back("0036")
    assert (asked.exit_code, migrations.current(url)) == (2, migrations.head())
    assert "0037  Which code may work with the tables" in asked.stderr
    assert "Give --yes to go back" in asked.stderr
    assert back("9999").exit_code == 2
    assert back("0036", "--yes").exit_code == 0
    assert migrations.current(url) == "0036"
