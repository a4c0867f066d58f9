"""Statements that Postgres plans once for a connection: planning the short ones costs it more than running them.

psycopg2 prepares nothing by itself. A statement with the execution option that `prepared` returns is sent with PREPARE
when a connection meets it first, and with EXECUTE from then on.
"""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor

# A plan that was made for an almost empty table serves a full one badly, and nobody tells Postgres in time.
LIFETIME = 30.0

_OPTION, _BEFORE = "prepared_as", "executed_before"
_numbers = itertools.count(1)


def prepared(name: str, before: str = "") -> dict[str, str]:
    """The execution option; `name` is the statement's own, among all that are prepared.

    `before`: a statement with the same parameters that is sent along and done first, in the same transaction. What it
    waits for is over when the prepared one looks at the tables.
    """
    return {_OPTION: name, _BEFORE: before}


def install(engine: Engine, *, is_shared: bool = False) -> None:
    """Prepare the statements marked so on the connections of this engine, unless others share its sessions."""
    event.listen(engine, "before_cursor_execute", _execute_as_it_is if is_shared else _execute_prepared, retval=True)


def _execute_as_it_is(
    _connection: Connection,
    _cursor: DBAPICursor,
    statement: str,
    parameters: Mapping[str, Any],
    context: DefaultExecutionContext | None,
    _executemany: bool,
) -> tuple[str, Mapping[str, Any]]:
    before = None if context is None else context.execution_options.get(_BEFORE)
    return f"{before}; {statement}" if before else statement, parameters


def _execute_prepared(
    connection: Connection,
    cursor: DBAPICursor,
    statement: str,
    parameters: Mapping[str, Any],
    context: DefaultExecutionContext | None,
    _executemany: bool,
) -> tuple[str, Mapping[str, Any]]:
    option = None if context is None else context.execution_options.get(_OPTION)
    if context is None or option is None:
        return statement, parameters
    known: dict[str, tuple[str, float]] = connection.info.setdefault(_OPTION, {})
    name, made_at = known.get(option, ("", float("-inf")))
    if time.monotonic() - made_at > LIFETIME:
        known.pop(option, None)
        if name:
            cursor.execute(f"DEALLOCATE {name}")
        name = f"{option}_{next(_numbers)}"
        cursor.execute(_prepare(name, statement, list(parameters), context))
        known[option] = name, time.monotonic()
    execute = f"EXECUTE {name} {_listed(f'%({one})s' for one in parameters)}"
    before = context.execution_options.get(_BEFORE)
    return f"{before}; {execute}" if before else execute, parameters


def _prepare(name: str, statement: str, parameters: Sequence[str], context: DefaultExecutionContext) -> str:
    binds, dialect = context.compiled.binds, context.dialect  # type: ignore[union-attr]
    types = _listed(binds[one].type.compile(dialect) for one in parameters)
    numbered = statement % {one: f"${number}" for number, one in enumerate(parameters, 1)}
    return f"PREPARE {name} {types} AS {numbered}"


def _listed(items: Iterable[str]) -> str:
    joined = ", ".join(items)
    return f"({joined})" if joined else ""
