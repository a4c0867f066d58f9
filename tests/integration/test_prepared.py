"""Marked statements are planned once for a connection, and nothing else about them changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import psycopg2
import pytest
from sqlalchemy import (
    Connection,
    DateTime,
    Executable,
    Numeric,
    String,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import OperationalError, ProgrammingError

from api_contract.vocabulary import Side
from pulse_core import db
from pulse_core.config import settings
from pulse_core.postgres import prepared
from pulse_core.postgres.table_base import words
from pulse_core.trading import store
from pulse_core.trading.store import claims

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
MARKED = (
    select(
        bindparam("side", type_=words(Side, "side")).label("side"),
        bindparam("at", type_=DateTime(timezone=True)).label("at"),
        bindparam("price", type_=Numeric).label("price"),
        func.jsonb_build_object("note", bindparam("note", type_=String), "100 %", bindparam("more", type_=JSONB)),
    )
    .where(bindparam("note", type_=String).is_distinct_from("%(no)s"))
    .execution_options(**prepared.prepared("marked"))
)
VALUES = {"side": Side.SELL, "at": NOW, "price": Decimal("10.05"), "note": "it's; 100 % $1", "more": {"a": [1, None]}}


@pytest.fixture
def connection(environment: dict[str, str]) -> Iterator[Connection]:
    engine = db.build_engine(settings())
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def known(connection: Connection) -> list[tuple[str, int]]:
    """The name of each prepared statement of this connection, and how often it was planned or run."""
    rows = connection.execute(text("SELECT name, generic_plans + custom_plans FROM pg_prepared_statements"))
    return [(name, runs) for name, runs in rows]


def ask(connection: Connection, **changes: Any) -> tuple[Any, ...]:
    return tuple(connection.execute(MARKED, {**VALUES, **changes}).one())


def test_values_go_in_and_come_out_as_without_it(connection: Connection) -> None:
    plainly = MARKED.execution_options(**{prepared._OPTION: None})

    assert ask(connection) == tuple(connection.execute(plainly, VALUES).one())
    assert ask(connection) == (Side.SELL, NOW, Decimal("10.05"), {"note": "it's; 100 % $1", "100 %": {"a": [1, None]}})
    assert ask(connection, price=None, note=None)[2:] == (None, {"note": None, "100 %": {"a": [1, None]}})


def test_a_statement_is_prepared_once_for_a_connection(connection: Connection) -> None:
    for _ in range(7):
        ask(connection)

    [(name, runs)] = known(connection)
    assert (name.rpartition("_")[0], runs) == ("marked", 7)


def test_a_rollback_does_not_lose_what_was_prepared(connection: Connection) -> None:
    ask(connection)
    connection.rollback()

    ask(connection)

    assert [runs for _name, runs in known(connection)] == [2]


def test_an_old_plan_is_replaced(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(connection)
    [(before, _runs)] = known(connection)
    monkeypatch.setattr(prepared, "LIFETIME", -1.0)

    ask(connection)

    [(name, runs)] = known(connection)
    assert (name != before, runs) == (True, 1)


@pytest.mark.parametrize("lifetime", [prepared.LIFETIME, -1.0], ids=["to be executed", "to be prepared anew"])
def test_a_new_connection_after_a_cut_one_prepares_anew(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, lifetime: float
) -> None:
    ask(connection)
    with psycopg2.connect(database_url) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [backend(connection)])
    monkeypatch.setattr(prepared, "LIFETIME", lifetime)
    with pytest.raises(OperationalError):
        ask(connection)
    assert connection.invalidated
    connection.rollback()

    ask(connection)

    assert [runs for _name, runs in known(connection)] == [1]


def test_one_that_could_not_be_prepared_is_tried_again(connection: Connection) -> None:
    missing = text("SELECT one FROM made_later").execution_options(**prepared.prepared("missing"))
    for _ in range(2):
        with pytest.raises(ProgrammingError, match="made_later"):
            connection.execute(missing)
        connection.rollback()

    connection.execute(text("CREATE TEMPORARY TABLE made_later AS SELECT 1 AS one"))

    assert connection.scalar(missing) == 1


def test_the_last_look_is_planned_alike_whatever_postgres_knows_of_the_tables(connection: Connection) -> None:
    for number in range(7):
        looked_for = {"slice_ids": [f"sl_{number}"], "client_order_ids": [f"id{number}"]}
        connection.execute(claims._LAST_LOOK, looked_for)

    [generic] = connection.execute(text("SELECT generic_plans FROM pg_prepared_statements")).scalars()
    assert generic == 2


def test_what_is_not_marked_is_not_prepared(connection: Connection) -> None:
    connection.execute(select(bindparam("one", 1)))

    assert known(connection) == []


def test_each_statement_that_is_prepared_has_a_name_of_its_own() -> None:
    modules = [import_module(one.name) for one in iter_modules(store.__path__, "pulse_core.trading.store.")]
    statements = [value for one in modules for value in vars(one).values() if isinstance(value, Executable)]
    names = [
        options[prepared._OPTION] for one in statements if prepared._OPTION in (options := one.get_execution_options())
    ]

    assert {"claim", "last_look", "acknowledge", "add_order"} <= set(names)
    assert sorted(set(names)) == sorted(names)


def backend(connection: Connection) -> int:
    return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
